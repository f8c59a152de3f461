package holdfast.net;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/** Tells a service from which address a call comes; several callers may share one. */
public final class PeerAddress implements ServerInterceptor {
  private static final Context.Key<String> KEY = Context.keyWithDefault("holdfast-address", "");

  PeerAddress() {}

  /** The address of the caller, without its port; empty when it is in the same process. */
  public static String current() {
    return KEY.get();
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    SocketAddress from = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    return from instanceof InetSocketAddress internet
        ? Contexts.interceptCall(
            Context.current().withValue(KEY, internet.getAddress().getHostAddress()),
            call,
            headers,
            next)
        : next.startCall(call, headers);
  }
}
