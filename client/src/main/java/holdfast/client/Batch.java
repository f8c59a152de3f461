package holdfast.client;

import holdfast.base.Hash;
import holdfast.capsule.RecordHeader;
import holdfast.wire.Request;
import java.util.List;

/**
 * Records and signatures that are sent together, sealed and encoded once: whoever sends them, and
 * however often, sends the same bytes.
 *
 * @param names the records, in order
 * @param headers their headers
 * @param requests the requests that carry it, without ids; the last is answered by the receipt
 * @param expected what a receipt has to cover
 * @param bytes about how much memory it holds
 */
record Batch(
    List<Hash> names,
    List<RecordHeader> headers,
    List<Request> requests,
    List<ReceiptCheck.Expected> expected,
    long bytes) {

  /** How many operations a receipt has to cover. */
  int size() {
    return expected.stream().mapToInt(e -> e.names().size()).sum();
  }
}
