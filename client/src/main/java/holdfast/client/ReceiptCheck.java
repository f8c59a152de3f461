package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Receipt;
import holdfast.crypto.VerifyKey;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;

/** Checks a receipt against what was sent. */
final class ReceiptCheck {
  private ReceiptCheck() {}

  /** What one operation kind of a request is expected to be acknowledged for. */
  record Expected(Receipt.Kind kind, List<Hash> names) {}

  /** A receipt that holds, and everything it covers. */
  record Checked(Receipt receipt, List<Receipt.Entry> entries) {}

  /** Checks that the receipt covers exactly the expected operations, in order. */
  static Checked verify(
      Reply reply, VerifyKey server, Hash capsule, Receipt.Level level, List<Expected> expected)
      throws ProofException {
    if (reply.getResultCase() != Reply.ResultCase.RECEIPT) {
      throw new ProofException(
          Violation.BAD_RECEIPT, "the server answers a write with something that is no receipt");
    }
    byte[] outcomes = reply.getReceipt().getOutcomes().toByteArray();
    List<Receipt.Entry> entries = new ArrayList<>(outcomes.length);
    for (Expected one : expected) {
      for (Hash name : one.names()) {
        if (entries.size() == outcomes.length) {
          throw new ProofException(
              Violation.BAD_RECEIPT, "the receipt covers only " + outcomes.length + " operations");
        }
        entries.add(
            new Receipt.Entry(one.kind(), name, Receipt.Outcome.of(outcomes[entries.size()])));
      }
    }
    if (entries.size() != outcomes.length) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the receipt covers "
              + outcomes.length
              + " operations, "
              + entries.size()
              + " were sent");
    }
    Receipt receipt = Receipt.decode(reply.getReceipt().getReceipt().toByteArray());
    receipt.verify(server, capsule, level, entries);
    return new Checked(receipt, entries);
  }
}
