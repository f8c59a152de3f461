package holdfast.device;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a device sends at once: a signed claim and the operations it speaks of.
 *
 * <p>A batch that exists keeps what its claim says: operations ascend, fill exactly the numbers
 * that the ranges leave, and have the claim's root. Whether the signature verifies is asked with
 * {@link #verifies}. Encoding: u8 1 ‖ claim ‖ signature ‖ operations; docs/edge-format.md, section
 * 2.
 */
public record Batch(SignedClaim signed, List<Operation> operations) {
  /** Most bytes of an encoded batch. */
  public static final int MAX_BYTES = 8 << 20;

  /** The media type of an encoded batch. */
  public static final String MEDIA_TYPE = "application/vnd.holdfast.batch";

  private static final int VERSION = 1;

  /** Checks that claim and operations belong together, the root included. */
  public Batch {
    operations = List.copyOf(operations);
    String problem = mismatch(signed.claim(), operations);
    if (problem != null) {
      throw new IllegalArgumentException(problem);
    }
    long size = 1L + signed.encodedSize();
    for (Operation operation : operations) {
      size += operation.encodedSize();
    }
    if (size > MAX_BYTES) {
      throw new IllegalArgumentException(
          "a batch has at most " + MAX_BYTES + " bytes, not " + size);
    }
  }

  /** Makes and signs a batch over {@code first} to {@code last}. */
  public static Batch sign(
      DeviceKey key,
      Octets incarnation,
      long first,
      long last,
      List<Range> ranges,
      List<Operation> operations) {
    Claim claim =
        new Claim(
            key.publicKey(),
            incarnation,
            first,
            last,
            ranges,
            operations.size(),
            rootOf(operations));
    return new Batch(SignedClaim.sign(key, claim), operations);
  }

  /** The claim. */
  public Claim claim() {
    return signed.claim();
  }

  /** Whether the signature is by the device that the claim names. */
  public boolean verifies() {
    return signed.verifies();
  }

  /** The root of the tree over operations, in their order. */
  public static Octets rootOf(List<Operation> operations) {
    return Tree.root(operations.stream().map(Operation::encode).toList());
  }

  private static @Nullable String mismatch(Claim claim, List<Operation> operations) {
    if (claim.operations() != operations.size()) {
      return "the claim speaks of "
          + claim.operations()
          + " operations, and there are "
          + operations.size();
    }
    long next = claim.first();
    int range = 0;
    for (Operation operation : operations) {
      // The claim's ranges do not overlap, so passing over those that begin here is enough.
      while (range < claim.ranges().size() && claim.ranges().get(range).first() == next) {
        next = claim.ranges().get(range++).last() + 1;
      }
      if (operation.sequence() != next) {
        return "the operation "
            + operation.sequence()
            + " stands where the claim leaves room for "
            + next;
      }
      next++;
    }
    if (!rootOf(operations).equals(claim.root())) {
      return "the operations do not have the root that the claim names";
    }
    return null;
  }

  /** The encoding. */
  public byte[] encode() {
    int size = 1 + signed.encodedSize();
    for (Operation operation : operations) {
      size += operation.encodedSize();
    }
    byte[] bytes = new byte[size];
    ByteBuffer out = ByteBuffer.wrap(bytes);
    out.put((byte) VERSION);
    signed.encode(out);
    operations.forEach(operation -> operation.encode(out));
    return bytes;
  }

  /** Reads one batch and nothing else; the signature is not verified. */
  public static Batch decode(byte[] bytes) throws MalformedException {
    Input in = new Input(bytes, "the batch");
    if (bytes.length > MAX_BYTES) {
      throw in.malformed("has " + bytes.length + " bytes, more than " + MAX_BYTES);
    }
    int version = in.u8();
    if (version != VERSION) {
      throw in.malformed("is of the unknown version " + version);
    }
    SignedClaim signed = SignedClaim.read(in);
    List<Operation> operations = new ArrayList<>();
    for (int i = 0; i < signed.claim().operations(); i++) {
      operations.add(Operation.read(in));
    }
    in.end();
    try {
      return new Batch(signed, operations);
    } catch (IllegalArgumentException e) {
      throw in.malformed("is against a rule: " + e.getMessage());
    }
  }
}
