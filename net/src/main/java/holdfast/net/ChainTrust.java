package holdfast.net;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Judges a chain of certificates by rules of its own, whether it comes over a socket or an engine.
 * Being extended, it is asked alone: the platform adds no check of host names to it.
 */
public abstract class ChainTrust extends X509ExtendedTrustManager {
  /** Trusts nobody, until a rule is given. */
  protected ChainTrust() {}

  /**
   * Judges a server.
   *
   * @param chain what it has shown, its own certificate first
   * @throws CertificateException when it is refused; so is every server unless this is overridden
   */
  protected void checkServer(X509Certificate[] chain) throws CertificateException {
    throw new CertificateException("no server is judged here");
  }

  /**
   * Judges a client.
   *
   * @param chain what it has shown, its own certificate first
   * @throws CertificateException when it is refused; so is every client unless this is overridden
   */
  protected void checkClient(X509Certificate[] chain) throws CertificateException {
    throw new CertificateException("no client is judged here");
  }

  /** The certificate that its holder has proven to hold. */
  protected static X509Certificate own(X509Certificate[] chain) throws CertificateException {
    if (chain.length == 0) {
      throw new CertificateException("no certificate was presented");
    }
    return chain[0];
  }

  @Override
  public final void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    checkServer(chain);
  }

  @Override
  public final void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkServer(chain);
  }

  @Override
  public final void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkServer(chain);
  }

  @Override
  public final void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    checkClient(chain);
  }

  @Override
  public final void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkClient(chain);
  }

  @Override
  public final void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkClient(chain);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}
