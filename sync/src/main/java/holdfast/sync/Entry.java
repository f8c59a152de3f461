package holdfast.sync;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;

/**
 * Something that entered the proven set: a record, or a writer's signature of one.
 *
 * @param position its place in the order of entering, at this replica
 * @param record the record's name
 * @param arrival the record's arrival number at this replica
 * @param signer index of the writer who signed, or {@link #RECORD}
 */
public record Entry(long position, Hash record, long arrival, int signer) {
  /** In place of a signer: the entry is the record itself. */
  public static final int RECORD = -1;

  /** Entries that are read at once. */
  public static final int PAGE = 4096;

  /** What stands for this entry in sets and digests. */
  public Hash name() {
    return nameOf(record, signer);
  }

  /**
   * What stands for a record, or for the fact that a writer signed it, in sets and digests. The
   * bytes of the signature do not enter: one valid signature is as good as another.
   */
  static Hash nameOf(Hash record, int signer) {
    return signer == RECORD
        ? record
        : Sha256.get()
            .hash(Domain.SIGNED_ENTRY, new Encoder(34).hash(record).u16(signer).toBytes());
  }
}
