package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.crypto.Aead;
import holdfast.crypto.Domain;
import holdfast.crypto.Hkdf;
import holdfast.crypto.Sha256;
import java.nio.ByteBuffer;
import java.util.List;
import javax.crypto.SecretKey;

/**
 * Seals the bodies of one writer session.
 *
 * <pre>
 *   session key = HKDF(content key of the epoch, session salt; tag ‖ capsule ‖ epoch)
 *   record key  = HKDF-Expand(session key; tag ‖ record counter)
 *   leaf        = AES-256-GCM(record key; nonce = leaf index; AAD = tag ‖ capsule ‖ writer ‖ salt ‖ counter ‖ leaf index)
 *   commitment  = SHA-256(tag ‖ record key)
 * </pre>
 *
 * <p>The salt is random, so no two sessions share a key; the counter moves on with every record,
 * also with one that is given up, so no record key is used twice. Not safe for use by several
 * threads.
 */
public final class Sealer {
  private final Hash capsule;
  private final int writer;
  private final int epoch;
  private final byte[] salt;
  private final Hkdf.Expander session;
  private final Aead aead = new Aead();
  private final byte[] aad;
  private long counter;

  /**
   * A sealer for a session.
   *
   * @param salt 16 fresh random bytes, never used before with this content key
   */
  public Sealer(Hash capsule, int writer, ContentKey key, byte[] salt) {
    if (salt.length != RecordHeader.SALT_SIZE) {
      throw new IllegalArgumentException("a session salt has 16 bytes, not " + salt.length);
    }
    this.capsule = capsule;
    this.writer = writer;
    this.epoch = key.epoch();
    this.salt = salt.clone();
    this.session = new Hkdf.Expander(key.sessionKey(capsule, salt));
    this.aad = associatedData(capsule, writer, salt);
  }

  static byte[] associatedData(Hash capsule, int writer, byte[] salt) {
    ByteBuffer aad = ByteBuffer.allocate(Domain.TAG_SIZE + Hash.SIZE + 2 + salt.length + 8 + 4);
    aad.put(Domain.SEAL.tag()).put(capsule.toBytes()).putShort((short) writer).put(salt);
    return aad.array();
  }

  static void bind(byte[] aad, long counter, int leaf) {
    ByteBuffer.wrap(aad).putLong(aad.length - 12, counter).putInt(aad.length - 4, leaf);
  }

  static byte[] recordKey(Hkdf.Expander session, long counter) {
    return session.expand(Domain.RECORD_KEY, ByteBuffer.allocate(8).putLong(counter).array());
  }

  static Hash commitment(byte[] recordKey) {
    return Sha256.get().hash(Domain.KEY_COMMITMENT, recordKey);
  }

  /** Takes the next counter and opens a record of this session for sealing. */
  public Draft begin() {
    return new Draft(counter++);
  }

  /** Seals all leaves of a record at once. */
  public Record seal(List<byte[]> leaves, long timeMillis, List<Hash> backpointers) {
    Draft draft = begin();
    byte[][] sealed = new byte[leaves.size()][];
    for (int i = 0; i < sealed.length; i++) {
      sealed[i] = draft.seal(leaves.get(i));
    }
    Body body = Body.of(sealed);
    return Record.whole(draft.header(body.root(), timeMillis, backpointers), body);
  }

  /** A record being sealed leaf by leaf. If it is given up, its counter is never used again. */
  public final class Draft {
    private final long myCounter;
    private final byte[] keyBytes;
    private final SecretKey key;
    private int leaves;
    private long sealedSize;

    private Draft(long counter) {
      this.myCounter = counter;
      this.keyBytes = recordKey(session, counter);
      this.key = Aead.key(keyBytes);
    }

    /** Seals the next leaf. */
    public byte[] seal(byte[] text) {
      byte[] sealed = new byte[text.length + Aead.TAG_SIZE];
      bind(aad, myCounter, leaves);
      aead.seal(key, leaves, aad, text, 0, text.length, sealed, 0);
      leaves++;
      sealedSize += sealed.length;
      return sealed;
    }

    /** Leaves sealed so far. */
    public int leaves() {
      return leaves;
    }

    /** The finished header. */
    public RecordHeader header(Hash bodyRoot, long timeMillis, List<Hash> backpointers) {
      return RecordHeader.of(
          capsule,
          writer,
          timeMillis,
          epoch,
          salt,
          myCounter,
          commitment(keyBytes),
          bodyRoot,
          leaves,
          sealedSize,
          backpointers);
    }
  }
}
