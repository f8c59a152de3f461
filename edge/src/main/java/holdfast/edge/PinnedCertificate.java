package holdfast.edge;

import holdfast.edge.site.IssuedCertificate;
import holdfast.net.ChainTrust;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.Supplier;

/**
 * Trusts one certificate, whatever names it bears and whoever has issued it: the one whose
 * fingerprint is asked for with each handshake. An edge may listen on any address and show a
 * certificate for other names; that it is the edge of a folder only the folder can say.
 */
final class PinnedCertificate extends ChainTrust {
  private final Supplier<String> fingerprint;

  /** Trusts the certificate whose SHA-256 this gives, as openssl prints it. */
  PinnedCertificate(Supplier<String> fingerprint) {
    this.fingerprint = fingerprint;
  }

  @Override
  protected void checkServer(X509Certificate[] chain) throws CertificateException {
    String shown = IssuedCertificate.fingerprint(own(chain));
    if (!shown.equals(fingerprint.get())) {
      throw new CertificateException(
          "who answers shows the certificate " + shown + ", which is not that of the edge");
    }
  }
}
