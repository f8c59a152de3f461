package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Bundle;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.crypto.VerifyKey;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A bundle file that has been verified, every byte of it; see {@link Bundle} for its parts. Bodies
 * stay in the file.
 */
public final class BundleFile {
  private final Path file;
  private final Bundle.Head head;
  private final List<Statement> statements;
  private final List<Frame> frames;
  private final Bundle.Verifier verifier;

  /** Where a frame lies. */
  private record Frame(long offset, int length) {}

  private BundleFile(
      Path file,
      Bundle.Head head,
      List<Statement> statements,
      List<Frame> frames,
      Bundle.Verifier verifier) {
    this.file = file;
    this.head = head;
    this.statements = statements;
    this.frames = frames;
    this.verifier = verifier;
  }

  /** Whether a file begins like a bundle, whole or an increment. */
  public static boolean looksLike(byte[] start) {
    return begins(start, Bundle.MAGIC) || begins(start, Bundle.INCREMENT_MAGIC);
  }

  private static boolean begins(byte[] start, Bytes magic) {
    return start.length >= magic.size()
        && Arrays.equals(start, 0, magic.size(), magic.unsafeArray(), 0, magic.size());
  }

  /** Reads a bundle and checks all of it. */
  public static BundleFile verify(Path file) throws IOException, ProofException {
    try (Source in = new Source(Files.newInputStream(file), Files.size(file))) {
      byte[] magic = in.read(Bundle.MAGIC.size());
      if (!looksLike(magic)) {
        throw malformed("does not begin with HFCAPSU1 or HFCAPSI1");
      }
      byte[] metadata = in.sized(Limits.METADATA_BYTES);
      Bundle.Head head = Bundle.Head.of(metadata, in.read(VerifyKey.SIGNATURE_SIZE));
      if (begins(magic, Bundle.INCREMENT_MAGIC)) {
        head = head.withBase(in.read(Bundle.Head.baseCount(in.read(4)) * Hash.SIZE));
      }
      Bundle.Verifier verifier = new Bundle.Verifier(head);
      List<Statement> statements = new ArrayList<>();
      for (int left = Bundle.statementCount(in.read(4)); left > 0; left--) {
        statements.add(verifier.statement(in.sized(Limits.STATEMENT_BYTES)));
      }
      long records = new Decoder(in.read(8), "bundle").u64();
      List<Frame> frames = new ArrayList<>();
      while (true) {
        int length = in.length(Bundle.MAX_FRAME_BYTES);
        if (length == 0) {
          break;
        }
        frames.add(new Frame(in.position, length));
        List<Record> held = verifier.frame(in.read(length));
        if (length > Bundle.FRAME_BYTES && held.size() > 1) {
          throw malformed("holds a frame of " + length + " bytes with more than one record");
        }
      }
      in.end();
      verifier.finish(records);
      return new BundleFile(file, head, statements, frames, verifier);
    }
  }

  private static ProofException malformed(String problem) {
    return new ProofException(Violation.MALFORMED, "the bundle " + problem);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  /** Metadata and the owner's signature under the creation. */
  public Bundle.Head head() {
    return head;
  }

  /** The name of the capsule. */
  public Hash capsule() {
    return head.metadata().name();
  }

  /** The statements, verified. */
  public List<Statement> statements() {
    return List.copyOf(statements);
  }

  /** What was counted, and the graph of the records. */
  public Bundle.Verifier contents() {
    return verifier;
  }

  /** Frames of records; each is read from the file again, the last one first. */
  interface FrameVisitor {
    void frame(List<Record> records) throws ProofException;
  }

  void framesFromLast(FrameVisitor visitor) throws IOException, ProofException {
    try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
      for (Frame frame : frames.reversed()) {
        byte[] bytes = new byte[frame.length()];
        in.seek(frame.offset());
        in.readFully(bytes);
        visitor.frame(Record.readAll(bytes, Integer.MAX_VALUE));
      }
    }
  }

  /** Reads part after part and hashes what it reads. */
  private static final class Source implements AutoCloseable {
    private final InputStream in;
    private final MessageDigest digest = sha256();
    private final long size;
    private long position;

    Source(InputStream in, long size) {
      this.in = new BufferedInputStream(in, 1 << 16);
      this.size = size;
    }

    byte[] read(int count) throws IOException, ProofException {
      byte[] bytes = raw(count);
      digest.update(bytes);
      return bytes;
    }

    private byte[] raw(int count) throws IOException, ProofException {
      if (count > size - position) {
        throw malformed("ends early");
      }
      byte[] bytes = in.readNBytes(count);
      if (bytes.length < count) {
        throw new EOFException("the bundle became shorter while it was being read");
      }
      position += count;
      return bytes;
    }

    int length(int max) throws IOException, ProofException {
      return new Decoder(read(4), "bundle").u32(max);
    }

    byte[] sized(int max) throws IOException, ProofException {
      return read(length(max));
    }

    void end() throws IOException, ProofException {
      if (!MessageDigest.isEqual(digest.digest(), raw(Hash.SIZE))) {
        throw malformed("does not hash to what it says at its end");
      }
      if (position != size) {
        throw malformed("is followed by " + (size - position) + " bytes that do not belong to it");
      }
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
