package holdfast.net;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import org.jspecify.annotations.Nullable;

/**
 * Why a server does not take a session, or ends one because it stops, in the trailers of the stream
 * that it ends: gRPC's own status tells a server that is stopping, or full, from one that cannot be
 * reached only in words. docs/protocol.md, section 1.
 */
public final class Refusal {
  private static final Metadata.Key<String> CODE =
      Metadata.Key.of("holdfast-error", Metadata.ASCII_STRING_MARSHALLER);

  private Refusal() {}

  /** What ends the stream. */
  public static StatusRuntimeException of(ErrorCode code, String message) {
    Metadata trailers = new Metadata();
    trailers.put(CODE, String.valueOf(code.number()));
    return Status.UNAVAILABLE.withDescription(message).asRuntimeException(trailers);
  }

  /** What a server said with {@link #of}; null when it said nothing of the kind. */
  static @Nullable HoldfastException read(Throwable failure, Endpoint from) {
    Metadata trailers = Status.trailersFromThrowable(failure);
    String number = trailers == null ? null : trailers.get(CODE);
    if (number == null || !number.matches("\\d{1,4}")) {
      return null;
    }
    ErrorCode code = ErrorCode.of(Integer.parseInt(number));
    return switch (code) {
      // Nothing else says that there is no session; a server does not choose what its client does.
      case STOPPING, BUSY ->
          new HoldfastException(
              code, from + ": " + Status.fromThrowable(failure).getDescription(), failure);
      default -> null;
    };
  }
}
