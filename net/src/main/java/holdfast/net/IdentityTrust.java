package holdfast.net;

import holdfast.base.ProofException;
import holdfast.crypto.VerifyKey;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.Consumer;

/** Trusts a server when its certificate proves an identity that the caller accepts. */
final class IdentityTrust extends ChainTrust {
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
    X509Certificate shown = own(chain);
    try {
      shown.checkValidity();
      decision.accept(TlsBinding.identityOf(shown));
    } catch (ProofException e) {
      refusals.accept(e);
      throw TlsBinding.refused(e);
    }
  }

  @Override
  protected void checkServer(X509Certificate[] chain) throws CertificateException {
    check(chain);
  }

  @Override
  protected void checkClient(X509Certificate[] chain) throws CertificateException {
    check(chain);
  }
}
