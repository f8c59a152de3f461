package holdfast.node.replication;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.wire.Error;
import holdfast.wire.Frame;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Takes messages apart into frames, and puts them together again. */
final class Frames {
  private static final int PART = 1 << 20;

  /** The largest record there is, and the batch that it closes. */
  static final int MESSAGE_BYTES = Limits.BODY_BYTES + 4 * Limits.LEAVES + (16 << 20);

  private ByteString gathered = ByteString.EMPTY;

  static void split(byte[] message, Consumer<Frame> out) {
    ByteString all = UnsafeByteOperations.unsafeWrap(message);
    for (int from = 0; from < message.length; from += PART) {
      int to = Math.min(message.length, from + PART);
      out.accept(
          Frame.newBuilder()
              .setPart(all.substring(from, to))
              .setLast(to == message.length)
              .build());
    }
  }

  /** Tells the peer why a round ends. */
  static Frame error(HoldfastException reason) {
    return Frame.newBuilder()
        .setError(
            Error.newBuilder()
                .setCode(reason.code().number())
                .setMessage(String.valueOf(reason.getMessage())))
        .build();
  }

  /** Bytes of a message that has not come whole yet. */
  int gatheredBytes() {
    return gathered.size();
  }

  /** Takes a frame; the message that it completes, or null. */
  byte @Nullable [] take(Frame frame) {
    if (gathered.size() + frame.getPart().size() > MESSAGE_BYTES) {
      throw new HoldfastException(
          ErrorCode.TOO_LARGE, "a message of a round has at most " + MESSAGE_BYTES + " bytes");
    }
    gathered = gathered.concat(frame.getPart());
    if (!frame.getLast()) {
      return null;
    }
    byte[] whole = gathered.toByteArray();
    gathered = ByteString.EMPTY;
    return whole;
  }
}
