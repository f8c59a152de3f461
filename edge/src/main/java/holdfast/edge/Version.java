package holdfast.edge;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.device.Operation;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One change of a key that took effect, as the view remembers it; the value itself stays in the
 * capsule.
 *
 * @param number counts the changes that took effect, of all spaces, from 1
 * @param timeMillis when the edge flushed it
 * @param operationMillis when the operation was made, as its maker claims
 * @param type the content type; empty for the default
 * @param sizeBytes bytes of the value
 * @param sequence the number of the operation in its device's queue; 0 without a queue
 */
record Version(
    long number,
    boolean deletion,
    Place place,
    long timeMillis,
    long operationMillis,
    String type,
    int sizeBytes,
    String user,
    String device,
    long sequence) {

  static Version of(long number, Place place, long timeMillis, EdgeLeaf.Change change) {
    Operation operation = change.operation();
    Operation.Put put = operation instanceof Operation.Put one ? one : null;
    return new Version(
        number,
        put == null,
        place,
        timeMillis,
        operation.timeMillis(),
        put == null ? "" : put.contentType(),
        put == null ? 0 : put.value().size(),
        change.user(),
        change.device(),
        operation.sequence());
  }

  byte[] encode() {
    return new Encoder(128)
        .u64(number)
        .u8(deletion ? 1 : 0)
        .hash(place.record())
        .u32(place.leaf())
        .u64(timeMillis)
        .u64(operationMillis)
        .text16(type)
        .u32(sizeBytes)
        .text16(user)
        .text16(device)
        .u64(sequence)
        .toBytes();
  }

  static Version decode(byte[] entry) {
    Decoder in = new Decoder(entry, "a version in the view");
    try {
      Version read =
          new Version(
              in.u64(),
              in.u8() == 1,
              new Place(in.hash(), in.u32(Integer.MAX_VALUE)),
              in.u64(),
              in.u64(),
              in.text16(255),
              in.u32(Integer.MAX_VALUE),
              in.text16(255),
              in.text16(255),
              in.u64());
      in.end();
      return read;
    } catch (ProofException e) {
      throw new AssertionError("the view is written by this program alone", e);
    }
  }

  /**
   * The value that a key has now.
   *
   * @param entry where the bytes of the value stand, from {@code offset} on
   */
  record Current(long number, Place place, long timeMillis, String type, Bytes entry, int offset) {
    int sizeBytes() {
      return entry.size() - offset;
    }

    byte[] value() {
      return Arrays.copyOfRange(entry.unsafeArray(), offset, entry.size());
    }

    /** The content type, never empty. */
    String contentType() {
      return type.isEmpty() ? Operation.DEFAULT_TYPE : type;
    }

    static byte[] encode(Version version, byte[] value) {
      return new Encoder(64 + value.length)
          .u64(version.number())
          .hash(version.place().record())
          .u32(version.place().leaf())
          .u64(version.timeMillis())
          .text16(version.type())
          .raw(value)
          .toBytes();
    }

    static @Nullable Current decode(byte @Nullable [] entry) {
      if (entry == null) {
        return null;
      }
      Decoder in = new Decoder(entry, "a value in the view");
      try {
        return new Current(
            in.u64(),
            new Place(Hash.read(entry, in.skip(Hash.SIZE)), in.u32(Integer.MAX_VALUE)),
            in.u64(),
            in.text16(255),
            Bytes.wrap(entry),
            in.position());
      } catch (ProofException e) {
        throw new AssertionError("the view is written by this program alone", e);
      }
    }
  }
}
