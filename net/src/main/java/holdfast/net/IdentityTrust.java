package holdfast.net;

import holdfast.base.ProofException;
import holdfast.crypto.VerifyKey;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.Consumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/** Trusts a server when its certificate proves an identity that the caller accepts. */
final class IdentityTrust extends X509ExtendedTrustManager {
  /** Decides about an identity once it is proven. */
  @FunctionalInterface
  interface Decision {
    void accept(VerifyKey identity) throws ProofException;
  }

  private final Decision decision;
  private final Consumer<ProofException> refusals;

  /**
   * Trusts whom {@code decision} accepts.
   *
   * @param refusals is told why a server is refused, which TLS does not pass on
   */
  IdentityTrust(Decision decision, Consumer<ProofException> refusals) {
    this.decision = decision;
    this.refusals = refusals;
  }

  private void check(X509Certificate[] chain) throws CertificateException {
    if (chain.length == 0) {
      throw new CertificateException("no certificate was presented");
    }
    try {
      chain[0].checkValidity();
      decision.accept(TlsBinding.identityOf(chain[0]));
    } catch (ProofException e) {
      refusals.accept(e);
      throw TlsBinding.refused(e);
    }
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    check(chain);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    check(chain);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    check(chain);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    check(chain);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    check(chain);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    check(chain);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}
