package holdfast.edge.site;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.InvalidAlgorithmParameterException;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trusts a client whose certificate the site's authority has issued directly, which is valid now,
 * was issued to connect with, and is not revoked. Trusts no server.
 */
final class ClientTrust extends X509ExtendedTrustManager {
  private static final Logger LOG = LoggerFactory.getLogger(ClientTrust.class);
  private static final String CLIENT_PURPOSE = "1.3.6.1.5.5.7.3.2";

  private final X509Certificate authority;
  private final @Nullable RevocationList revoked;
  private final InstantSource clock;

  ClientTrust(X509Certificate authority, @Nullable RevocationList revoked, InstantSource clock) {
    this.authority = authority;
    this.revoked = revoked;
    this.clock = clock;
  }

  /** Refuses a certificate with the reason; TLS tells the client little of it, the log all. */
  void check(X509Certificate[] chain) throws CertificateException {
    if (chain.length == 0) {
      throw new CertificateException("no certificate was presented");
    }
    try {
      check(chain[0]);
    } catch (CertificateException e) {
      LOG.info("a client was refused: {}", e.getMessage());
      throw e;
    }
  }

  private void check(X509Certificate one) throws CertificateException {
    String who = "the certificate of " + one.getSubjectX500Principal();
    Instant now = clock.instant();
    try {
      PKIXParameters rules = new PKIXParameters(Set.of(new TrustAnchor(authority, null)));
      rules.setDate(Date.from(now));
      // What is revoked is looked up below, in a list that is read again when it changes.
      rules.setRevocationEnabled(false);
      CertPathValidator.getInstance("PKIX")
          .validate(CertificateFactory.getInstance("X.509").generateCertPath(List.of(one)), rules);
    } catch (CertPathValidatorException e) {
      throw new CertificateException(who + " " + reason(e, one, now), e);
    } catch (InvalidAlgorithmParameterException | java.security.NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK checks certificate paths", e);
    }
    List<String> purposes = one.getExtendedKeyUsage();
    if (purposes == null || !purposes.contains(CLIENT_PURPOSE)) {
      throw new CertificateException(who + " is not one to connect with");
    }
    stillGood(one);
  }

  /**
   * Looks again at a certificate that was found good before.
   *
   * @return who holds it
   */
  Holder stillGood(X509Certificate one) throws CertificateException {
    String who = "the certificate of " + one.getSubjectX500Principal();
    Instant now = clock.instant();
    if (now.isAfter(one.getNotAfter().toInstant())) {
      throw new CertificateException(who + " expired at " + one.getNotAfter().toInstant());
    }
    Optional<Instant> since = revoked == null ? Optional.empty() : revoked.revoked(one);
    if (since.isPresent()) {
      throw new CertificateException(who + " was revoked at " + since.get());
    }
    return Holder.of(one)
        .orElseThrow(() -> new CertificateException(who + " does not say who holds it"));
  }

  private String reason(CertPathValidatorException e, X509Certificate one, Instant now) {
    Date end = authority.getNotAfter();
    try {
      one.verify(authority.getPublicKey());
    } catch (GeneralSecurityException notOurs) {
      return "was not issued by the authority "
          + authority.getSubjectX500Principal()
          + " but by "
          + one.getIssuerX500Principal();
    }
    if (now.isAfter(one.getNotAfter().toInstant())) {
      return "expired at " + one.getNotAfter().toInstant();
    }
    if (now.isBefore(one.getNotBefore().toInstant())) {
      return "is not valid before " + one.getNotBefore().toInstant();
    }
    return now.isAfter(end.toInstant())
        ? "was issued by an authority that expired at " + end.toInstant()
        : "is not acceptable: " + e.getMessage();
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
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw new CertificateException("a server's certificate is not checked here");
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[] {authority};
  }
}
