package holdfast.cli;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A file of receipts, as 'append --receipts' makes it: extracts, each behind a 32-bit length. */
final class ReceiptFile {
  private static final int MOST_BYTES = 1 << 16;

  private ReceiptFile() {}

  static void write(OutputStream to, Receipt.Extract extract) throws IOException {
    Encoder one = new Encoder();
    extract.encode(one);
    to.write(new Encoder().bytes32(one.toBytes()).toBytes());
  }

  /** All receipts of a file; nothing but their form is checked. */
  static List<Receipt.Extract> read(Path file) throws IOException, ProofException {
    List<Receipt.Extract> found = new ArrayList<>();
    Decoder in = new Decoder(Files.readAllBytes(file), "file of receipts");
    while (in.remaining() > 0) {
      Decoder one = new Decoder(in.bytes32(MOST_BYTES), "receipt");
      found.add(Receipt.Extract.read(one));
      one.end();
    }
    return found;
  }
}
