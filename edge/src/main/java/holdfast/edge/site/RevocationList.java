package holdfast.edge.site;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509CRL;
import java.security.cert.X509CRLEntry;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Optional;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.x509.Extension;
import org.jspecify.annotations.Nullable;

/**
 * What the authority has revoked. A list that the authority did not sign, or an older one than was
 * read before, is refused.
 */
record RevocationList(X509CRL list) {
  /**
   * Reads a list.
   *
   * @param before what was read before of the same authority; null at first
   */
  static RevocationList read(
      Path file, X509Certificate authority, @Nullable RevocationList before) {
    X509CRL found = Pem.revocations(file);
    try {
      found.verify(authority.getPublicKey());
    } catch (GeneralSecurityException e) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          file + " is not signed by the authority " + authority.getSubjectX500Principal(),
          e);
    }
    if (before != null && number(found).compareTo(number(before.list)) < 0) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          file + " is number " + number(found) + ", older than number " + number(before.list));
    }
    return new RevocationList(found);
  }

  /** The number of a list, which ascends; 0 when it has none. */
  static BigInteger number(X509CRL list) {
    byte[] wrapped = list.getExtensionValue(Extension.cRLNumber.getId());
    if (wrapped == null) {
      return BigInteger.ZERO;
    }
    try {
      return ASN1Integer.getInstance(
              org.bouncycastle.asn1.ASN1Primitive.fromByteArray(
                  ASN1OctetString.getInstance(wrapped).getOctets()))
          .getPositiveValue();
    } catch (IOException | IllegalArgumentException e) {
      throw new HoldfastException(
          ErrorCode.INVALID, "the number of a revocation list is malformed", e);
    }
  }

  /** When a certificate was revoked; empty if it was not. */
  Optional<Instant> revoked(X509Certificate certificate) {
    X509CRLEntry entry = list.getRevokedCertificate(certificate.getSerialNumber());
    return entry == null ? Optional.empty() : Optional.of(entry.getRevocationDate().toInstant());
  }
}
