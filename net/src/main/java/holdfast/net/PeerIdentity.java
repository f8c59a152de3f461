package holdfast.net;

import holdfast.base.ProofException;
import holdfast.crypto.VerifyKey;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/** Tells a service who is at the other end of a call, if that side has shown who it is. */
public final class PeerIdentity implements ServerInterceptor {
  private static final Context.Key<VerifyKey> KEY = Context.key("holdfast-peer");

  PeerIdentity() {}

  /** The identity that the caller of the current call has proven; null when it has shown none. */
  public static @Nullable VerifyKey current() {
    return KEY.get();
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    VerifyKey identity = identity(call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION));
    if (identity == null) {
      return next.startCall(call, headers);
    }
    return Contexts.interceptCall(Context.current().withValue(KEY, identity), call, headers, next);
  }

  private static @Nullable VerifyKey identity(@Nullable SSLSession session) {
    if (session == null) {
      return null;
    }
    try {
      Certificate[] chain = session.getPeerCertificates();
      return chain.length > 0 && chain[0] instanceof X509Certificate certificate
          ? TlsBinding.identityOf(certificate)
          : null;
    } catch (SSLPeerUnverifiedException e) {
      // The other side is a client that shows no certificate.
      return null;
    } catch (ProofException e) {
      throw new AssertionError("the handshake let a certificate through that proves nothing", e);
    }
  }
}
