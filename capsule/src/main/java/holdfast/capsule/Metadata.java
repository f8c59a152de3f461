package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The immutable description of a capsule; its hash is the capsule's name, so whoever knows the name
 * knows which keys may write (DCS paper, section 2.2).
 *
 * @param owner the key that governs the capsule
 * @param writers keys that may write records, in the order of their index; never changed
 * @param description for people
 * @param createdMillis claimed time of creation, milliseconds since 1970
 * @param keyInstructions how readers ask for decryption keys
 * @param nonce 16 random bytes, so that equal descriptions give different names
 * @param extensions further fields by type number, for later versions
 */
public record Metadata(
    VerifyKey owner,
    List<Writer> writers,
    String description,
    long createdMillis,
    String keyInstructions,
    Bytes nonce,
    SortedMap<Integer, Bytes> extensions) {

  /** Format version of this encoding. */
  public static final int VERSION = 1;

  /** Bytes of the nonce. */
  public static final int NONCE_SIZE = 16;

  /** A key that may write, and what people call it. */
  public record Writer(VerifyKey key, String label) {}

  /** Checks every limit. */
  public Metadata {
    writers = List.copyOf(writers);
    extensions = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(extensions));
    if (writers.isEmpty() || writers.size() > Limits.WRITERS) {
      throw new IllegalArgumentException(
          "a capsule has 1 to " + Limits.WRITERS + " writers, not " + writers.size());
    }
    Set<VerifyKey> distinct = new HashSet<>();
    for (Writer writer : writers) {
      if (!distinct.add(writer.key())) {
        throw new IllegalArgumentException("the writer " + writer.key() + " is named twice");
      }
      checkText("a writer's label", writer.label(), Limits.LABEL_BYTES);
    }
    checkText("the description", description, Limits.DESCRIPTION_BYTES);
    checkText("the instructions for readers", keyInstructions, Limits.DESCRIPTION_BYTES);
    if (createdMillis < 0) {
      throw new IllegalArgumentException("the time of creation is before 1970: " + createdMillis);
    }
    if (nonce.size() != NONCE_SIZE) {
      throw new IllegalArgumentException("the nonce has 16 bytes, not " + nonce.size());
    }
    if (extensions.size() > Limits.EXTENSIONS) {
      throw new IllegalArgumentException(
          "at most " + Limits.EXTENSIONS + " extensions are allowed");
    }
    extensions.forEach((type, value) -> {
      if (type < 0 || type > 0xFFFF || value.size() > Limits.EXTENSION_BYTES) {
        throw new IllegalArgumentException(
            "extension " + type + " of " + value.size() + " bytes is out of bounds");
      }
    });
  }

  private static void checkText(String what, String text, int mostBytes) {
    int size = text.getBytes(StandardCharsets.UTF_8).length;
    if (size > mostBytes) {
      throw new IllegalArgumentException(
          what + " has at most " + mostBytes + " bytes of UTF-8, not " + size);
    }
  }

  /** The canonical encoding, of which {@link #name} is the hash. */
  public byte[] encode() {
    Encoder out = new Encoder(256);
    out.u8(VERSION);
    owner.encode(out);
    out.u16(writers.size());
    for (Writer writer : writers) {
      writer.key().encode(out);
      out.text16(writer.label());
    }
    out.text16(description).u64(createdMillis).text16(keyInstructions).raw(nonce);
    out.u16(extensions.size());
    for (Map.Entry<Integer, Bytes> extension : extensions.entrySet()) {
      out.u16(extension.getKey()).bytes16(extension.getValue().unsafeArray());
    }
    return out.toBytes();
  }

  /** Reads the canonical encoding and nothing else. */
  public static Metadata decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "capsule metadata");
    if (bytes.length > Limits.METADATA_BYTES) {
      throw in.malformed("has more than " + Limits.METADATA_BYTES + " bytes");
    }
    int version = in.u8();
    if (version != VERSION) {
      throw in.malformed("has the unknown version " + version);
    }
    VerifyKey owner = VerifyKey.decode(in);
    int count = in.u16();
    if (count == 0 || count > Limits.WRITERS) {
      throw in.malformed("names " + count + " writers; 1 to " + Limits.WRITERS + " are allowed");
    }
    java.util.ArrayList<Writer> writers = new java.util.ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      writers.add(new Writer(VerifyKey.decode(in), in.text16(Limits.LABEL_BYTES)));
    }
    String description = in.text16(Limits.DESCRIPTION_BYTES);
    long created = in.u64();
    String instructions = in.text16(Limits.DESCRIPTION_BYTES);
    Bytes nonce = Bytes.wrap(in.raw(NONCE_SIZE));
    int extensionCount = in.u16();
    if (extensionCount > Limits.EXTENSIONS) {
      throw in.malformed("has " + extensionCount + " extensions");
    }
    TreeMap<Integer, Bytes> extensions = new TreeMap<>();
    for (int i = 0; i < extensionCount; i++) {
      int type = in.u16();
      if (!extensions.isEmpty() && type <= extensions.lastKey()) {
        throw in.malformed("has extensions that are not in ascending order");
      }
      extensions.put(type, Bytes.wrap(in.bytes16(Limits.EXTENSION_BYTES)));
    }
    in.end();
    try {
      return new Metadata(owner, writers, description, created, instructions, nonce, extensions);
    } catch (IllegalArgumentException e) {
      throw new ProofException(Violation.MALFORMED, "capsule metadata: " + e.getMessage(), e);
    }
  }

  /** The capsule's name: SHA-256(tag ‖ encoding). */
  public Hash name() {
    return nameOf(encode());
  }

  /** The name that encoded metadata gives. */
  public static Hash nameOf(byte[] encoded) {
    return Sha256.get().hash(Domain.CAPSULE, encoded);
  }

  /** The owner's signature under the creation of this capsule. */
  public byte[] signCreation(SigningKey ownerKey) {
    if (!ownerKey.verifyKey().equals(owner)) {
      throw new IllegalArgumentException("only the owner signs the creation of a capsule");
    }
    return ownerKey.sign(Domain.SIGN_CREATE, name().toBytes());
  }

  /** Verifies the owner's signature under the creation. */
  public void verifyCreation(byte[] signature) throws ProofException {
    owner.verify(Domain.SIGN_CREATE, name().toBytes(), signature);
  }

  /** The index of a writer's key, or -1. */
  public int indexOf(VerifyKey key) {
    for (int i = 0; i < writers.size(); i++) {
      if (writers.get(i).key().equals(key)) {
        return i;
      }
    }
    return -1;
  }

  /** The key of a writer; {@link Violation#BAD_SIGNATURE} when the capsule has no such writer. */
  public VerifyKey writerKey(int index) throws ProofException {
    if (index >= writers.size()) {
      throw new ProofException(
          Violation.BAD_SIGNATURE,
          "writer " + index + " is claimed, the capsule authorises " + writers.size());
    }
    return writers.get(index).key();
  }
}
