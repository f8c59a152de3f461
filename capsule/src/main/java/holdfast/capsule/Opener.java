package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Aead;
import holdfast.crypto.Hkdf;
import holdfast.crypto.Secret;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Opens sealed leaves with content keys, or with the disclosed key of one record. Checks the key
 * commitment first, since GCM does not bind a ciphertext to one key. Not safe for use by several
 * threads.
 */
public final class Opener {
  private static final int SESSIONS = 1024;
  private static final int RECORD_KEYS = 4096;

  private record Session(int epoch, Bytes salt) {}

  private final Hash capsule;
  private final Map<Integer, ContentKey> keys = new LinkedHashMap<>();
  private final Aead aead = new Aead();
  private final LinkedHashMap<Session, Hkdf.Expander> sessions =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Session, Hkdf.Expander> eldest) {
          return size() > SESSIONS;
        }
      };

  /** Keys of records with several leaves that were opened lately: leaves are often read singly. */
  private final LinkedHashMap<Hash, byte[]> recordKeys =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Hash, byte[]> eldest) {
          return size() > RECORD_KEYS;
        }
      };

  /** An opener that holds these content keys. */
  public Opener(Hash capsule, List<ContentKey> contentKeys) {
    this.capsule = capsule;
    for (ContentKey key : contentKeys) {
      keys.put(key.epoch(), key);
    }
  }

  /** Whether the record's epoch is one of those held. */
  public boolean canOpen(RecordHeader header) {
    return keys.containsKey(header.epoch());
  }

  /** The key of one record, for disclosure: it shows that record and nothing else. */
  public Secret recordKey(RecordHeader header) throws ProofException {
    return Secret.copyOf(keyOf(header));
  }

  private byte[] keyOf(RecordHeader header) throws ProofException {
    if (header.leafCount() == 1) {
      return derive(header);
    }
    byte[] known = recordKeys.get(header.name());
    if (known == null) {
      known = derive(header);
      recordKeys.put(header.name(), known);
    }
    return known;
  }

  private byte[] derive(RecordHeader header) throws ProofException {
    ContentKey content = keys.get(header.epoch());
    if (content == null) {
      throw new ProofException(
          Violation.BAD_SEAL,
          "record "
              + header.name().brief()
              + " is sealed under key epoch "
              + header.epoch()
              + ", which is not among the keys held; ask the owner for a grant");
    }
    byte[] salt = header.salt();
    Session session = new Session(header.epoch(), Bytes.wrap(salt));
    Hkdf.Expander expander = sessions.get(session);
    if (expander == null) {
      expander = new Hkdf.Expander(content.sessionKey(capsule, salt));
      sessions.put(session, expander);
    }
    byte[] key = Sealer.recordKey(expander, header.counter());
    checkCommitment(header, key);
    return key;
  }

  private static void checkCommitment(RecordHeader header, byte[] key) throws ProofException {
    if (!Sealer.commitment(key).equals(header.keyCommitment())) {
      throw new ProofException(
          Violation.BAD_SEAL,
          "the key is not the one that record " + header.name().brief() + " commits to");
    }
  }

  /** Opens one sealed leaf of a record. */
  public byte[] open(RecordHeader header, int leaf, byte[] sealed) throws ProofException {
    return open(header, keyOf(header), leaf, sealed, 0, sealed.length);
  }

  /** Opens every leaf of a record; an erased leaf becomes {@code null} in the array. */
  public byte[] @Nullable [] openAll(RecordHeader header, Body body) throws ProofException {
    byte[] key = keyOf(header);
    byte[] @Nullable [] texts = new byte[body.leafCount()] @Nullable [];
    for (int i = 0; i < texts.length; i++) {
      if (!body.erased(i)) {
        texts[i] = open(header, key, i, body.unsafeBytes(), body.leafOffset(i), body.leafLength(i));
      }
    }
    return texts;
  }

  /** Opens a leaf with the disclosed key of its record. */
  public static byte[] openDisclosed(RecordHeader header, Secret recordKey, int leaf, byte[] sealed)
      throws ProofException {
    byte[] key = recordKey.expose();
    checkCommitment(header, key);
    return new Opener(header.capsule(), List.of())
        .open(header, key, leaf, sealed, 0, sealed.length);
  }

  private byte[] open(
      RecordHeader header, byte[] key, int leaf, byte[] sealed, int offset, int length)
      throws ProofException {
    byte[] aad = Sealer.associatedData(header.capsule(), header.writer(), header.salt());
    Sealer.bind(aad, header.counter(), leaf);
    return aead.open(Aead.key(key), leaf, aad, sealed, offset, length);
  }
}
