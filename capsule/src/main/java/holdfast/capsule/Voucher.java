package holdfast.capsule;

/**
 * Who stands behind a verified record.
 *
 * @param signer index of the writer whose signature the proof ends in
 * @param authored whether the proof shows that this writer made the record: all headers from the
 *     signed one down to it name the signer. Otherwise the signer vouches for the record, and the
 *     writer it names is a claim.
 */
public record Voucher(int signer, boolean authored) {
  /** The voucher of a record that a record with this voucher points at. */
  Voucher through(int writerOfTarget) {
    return new Voucher(signer, authored && writerOfTarget == signer);
  }

  /** Whether this says more than {@code other}. */
  boolean strongerThan(Voucher other) {
    return authored && !other.authored;
  }
}
