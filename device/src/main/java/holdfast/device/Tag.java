package holdfast.device;

import java.nio.charset.StandardCharsets;

/**
 * What stands before everything that a device hashes or signs, so that nothing means two things.
 */
@SuppressWarnings("ImmutableEnumChecker") // Octets do not change
public enum Tag {
  /** Hash of an operation in the tree of a batch. */
  LEAF("hf1.devl"),
  /** Hash of two nodes in the tree of a batch. */
  NODE("hf1.devn"),
  /** A device's signature under a claim. */
  BATCH("hf1.devb"),
  /** A device's signature that shows, at enrolment, that it holds its key. */
  ENROL("hf1.deve");

  // Written once, here; handed out only as copies.
  @SuppressWarnings("ImmutableEnumChecker")
  private final Octets bytes;

  Tag(String text) {
    bytes = Octets.wrap(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** The eight bytes. */
  public byte[] bytes() {
    return bytes.toArray();
  }

  byte[] unsafeBytes() {
    return bytes.unsafeArray();
  }
}
