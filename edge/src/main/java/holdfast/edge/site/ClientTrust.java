package holdfast.edge.site;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.net.ChainTrust;
import java.nio.file.Path;
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
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trusts a client whose certificate the site's authority has issued directly, which is valid now,
 * was issued to connect with, and is not revoked. Trusts no server.
 *
 * <p>The files of the authority and of what it has revoked are read again when one of them changes.
 * They hold together: while they do not fit each other, what was read before holds.
 */
final class ClientTrust extends ChainTrust {
  private static final Logger LOG = LoggerFactory.getLogger(ClientTrust.class);
  private static final String CLIENT_PURPOSE = "1.3.6.1.5.5.7.3.2";

  private static final int MOST_KNOWN = 10_000;

  private final WatchedFile<Trusted> trusted;
  private final InstantSource clock;

  /**
   * What the files say.
   *
   * @param issued certificates that are known to be the authority's, so that they are verified once
   */
  private record Trusted(
      X509Certificate authority, @Nullable RevocationList revoked, Set<X509Certificate> issued) {
    boolean issued(X509Certificate one) {
      if (issued.contains(one)) {
        return true;
      }
      try {
        one.verify(authority.getPublicKey());
      } catch (GeneralSecurityException e) {
        return false;
      }
      if (issued.size() >= MOST_KNOWN) {
        issued.clear();
      }
      issued.add(one);
      return true;
    }
  }

  /**
   * By files.
   *
   * @param authority the certificate of the authority
   * @param revoked what it has revoked; null to go without
   */
  ClientTrust(Path authority, @Nullable Path revoked, InstantSource clock) {
    this.trusted =
        new WatchedFile<>(
            revoked == null ? List.of(authority) : List.of(authority, revoked),
            before -> read(authority, revoked, before));
    this.clock = clock;
  }

  private static Trusted read(Path authority, @Nullable Path revoked, @Nullable Trusted before) {
    X509Certificate root = Pem.certificates(authority).getFirst();
    if (root.getBasicConstraints() < 0) {
      throw new HoldfastException(
          ErrorCode.INVALID, authority + " is the certificate of no authority");
    }
    // What was read of another authority says nothing of this one.
    Trusted same = before != null && before.authority().equals(root) ? before : null;
    return new Trusted(
        root,
        revoked == null
            ? null
            : RevocationList.read(revoked, root, same == null ? null : same.revoked()),
        same == null ? ConcurrentHashMap.newKeySet() : same.issued());
  }

  /** Refuses a certificate with the reason; TLS tells the client little of it, the log all. */
  @Override
  protected void checkClient(X509Certificate[] chain) throws CertificateException {
    try {
      check(own(chain));
    } catch (CertificateException e) {
      LOG.info("a client was refused: {}", e.getMessage());
      throw e;
    }
  }

  private void check(X509Certificate one) throws CertificateException {
    String who = "the certificate of " + one.getSubjectX500Principal();
    Instant now = clock.instant();
    X509Certificate authority = trusted.get().authority();
    try {
      PKIXParameters rules = new PKIXParameters(Set.of(new TrustAnchor(authority, null)));
      rules.setDate(Date.from(now));
      // What is revoked is looked up below, in a list that is read again when it changes.
      rules.setRevocationEnabled(false);
      CertPathValidator.getInstance("PKIX")
          .validate(CertificateFactory.getInstance("X.509").generateCertPath(List.of(one)), rules);
    } catch (CertPathValidatorException e) {
      throw new CertificateException(who + " " + reason(e, authority, one, now), e);
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
    Trusted by = trusted.get();
    if (!by.issued(one)) {
      throw new CertificateException(
          who + " was not issued by the authority " + by.authority().getSubjectX500Principal());
    }
    if (now.isAfter(one.getNotAfter().toInstant())) {
      throw new CertificateException(who + " expired at " + one.getNotAfter().toInstant());
    }
    RevocationList revoked = by.revoked();
    Optional<Instant> since = revoked == null ? Optional.empty() : revoked.revoked(one);
    if (since.isPresent()) {
      throw new CertificateException(who + " was revoked at " + since.get());
    }
    return Holder.of(one)
        .orElseThrow(() -> new CertificateException(who + " does not say who holds it"));
  }

  private static String reason(
      CertPathValidatorException e, X509Certificate authority, X509Certificate one, Instant now) {
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
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[] {trusted.get().authority()};
  }
}
