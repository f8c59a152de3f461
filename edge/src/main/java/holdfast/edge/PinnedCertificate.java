package holdfast.edge;

import holdfast.edge.site.IssuedCertificate;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts one certificate, whatever names it bears and whoever has issued it: the one whose
 * fingerprint is asked for with each handshake. An edge may listen on any address and show a
 * certificate for other names; that it is the edge of a folder only the folder can say.
 */
final class PinnedCertificate extends X509ExtendedTrustManager {
  private final Supplier<String> fingerprint;

  /** Trusts the certificate whose SHA-256 this gives, as openssl prints it. */
  PinnedCertificate(Supplier<String> fingerprint) {
    this.fingerprint = fingerprint;
  }

  private void check(X509Certificate[] chain) throws CertificateException {
    String shown = IssuedCertificate.fingerprint(chain[0]);
    if (!shown.equals(fingerprint.get())) {
      throw new CertificateException(
          "who answers shows the certificate " + shown + ", which is not that of the edge");
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

  private static CertificateException noClients() {
    return new CertificateException("no client is judged here");
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw noClients();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    throw noClients();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    throw noClients();
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}
