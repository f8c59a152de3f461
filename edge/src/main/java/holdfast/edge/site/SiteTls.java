package holdfast.edge.site;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.net.ChainTrust;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509KeyManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * What a TLS server of the site is made of: the certificate it shows, and which certificates of
 * clients it takes. A client without a certificate is for the server to judge; one with a
 * certificate that is not good is refused in the handshake.
 *
 * <p>All files are read again when they change. While one of them cannot be used, what was read
 * before holds.
 */
public final class SiteTls {
  private final ServerKey key;
  private final @Nullable ClientTrust clients;
  private final SSLContext context;

  private SiteTls(ServerKey key, @Nullable ClientTrust clients) {
    this.key = key;
    this.clients = clients;
    try {
      context = SSLContext.getInstance("TLS");
      context.init(
          new X509KeyManager[] {key},
          clients == null ? new TrustManager[] {NoClients.INSTANCE} : new TrustManager[] {clients},
          new SecureRandom());
    } catch (GeneralSecurityException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "TLS is not available", e);
    }
  }

  /** Of a server that asks clients for no certificate. */
  public static SiteTls server(Path chain, Path privateKey) {
    return new SiteTls(new ServerKey(chain, privateKey), null);
  }

  /**
   * Of a server that takes clients' certificates too.
   *
   * @param authority the file of the authority whose certificates are taken
   * @param revoked the file that says what it has revoked; null to go without
   * @param clock tells what has expired
   */
  public static SiteTls mutual(
      Path chain, Path privateKey, Path authority, @Nullable Path revoked, InstantSource clock) {
    return new SiteTls(
        new ServerKey(chain, privateKey), new ClientTrust(authority, revoked, clock));
  }

  /** The context of connections; whether a client must show a certificate is set with them. */
  public SSLContext context() {
    return context;
  }

  /** What shows the server's certificate. */
  public X509KeyManager keyManager() {
    return key;
  }

  /** What judges clients' certificates. */
  public X509TrustManager trustManager() {
    return clients == null ? NoClients.INSTANCE : clients;
  }

  /** Has somebody told of a new certificate, before the first client is shown it. */
  public void onChange(Consumer<X509Certificate> listener) {
    key.onChange(listener);
  }

  /** Whether clients' certificates are taken. */
  public boolean takesCertificates() {
    return clients != null;
  }

  /** The certificate that is shown now. */
  public X509Certificate certificate() {
    return key.certificate();
  }

  /**
   * Who is at the other end of a connection, by the certificate that its handshake has accepted. To
   * be asked with every request: a connection, or a session that is resumed, may outlast its
   * certificate.
   *
   * @throws CertificateException when it has expired or was revoked since
   */
  public Holder holder(X509Certificate accepted) throws CertificateException {
    if (clients == null) {
      throw new CertificateException("this server takes no certificates");
    }
    return clients.stillGood(accepted);
  }

  /** Takes no certificate at all. */
  private static final class NoClients extends ChainTrust {
    static final NoClients INSTANCE = new NoClients();

    @Override
    protected void checkClient(X509Certificate[] chain) throws CertificateException {
      throw new CertificateException("this server takes no certificates");
    }
  }
}
