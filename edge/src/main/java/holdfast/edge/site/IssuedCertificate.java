package holdfast.edge.site;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * A certificate that the authority of a site has issued.
 *
 * @param revoked when it was revoked; null if it was not
 */
public record IssuedCertificate(
    Holder holder, X509Certificate certificate, @Nullable Instant revoked) {

  /** What a certificate is good for at some time. */
  public enum State {
    VALID,
    EXPIRED,
    REVOKED
  }

  /** The serial number in hexadecimal, as {@code openssl x509 -serial} prints it. */
  public String serial() {
    return serialOf(certificate);
  }

  static String serialOf(X509Certificate certificate) {
    return HexFormat.of().withUpperCase().formatHex(magnitude(certificate));
  }

  private static byte[] magnitude(X509Certificate certificate) {
    byte[] bytes = certificate.getSerialNumber().toByteArray();
    return bytes[0] == 0 && bytes.length > 1
        ? java.util.Arrays.copyOfRange(bytes, 1, bytes.length)
        : bytes;
  }

  /** The state at a time. */
  public State state(Instant at) {
    if (revoked != null) {
      return State.REVOKED;
    }
    return at.isAfter(certificate.getNotAfter().toInstant()) ? State.EXPIRED : State.VALID;
  }

  /** SHA-256 of the certificate in hexadecimal with colons, as openssl prints it. */
  public static String fingerprint(X509Certificate certificate) {
    try {
      return HexFormat.ofDelimiter(":")
          .withUpperCase()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
    } catch (NoSuchAlgorithmException | CertificateEncodingException e) {
      throw new AssertionError("every JDK has SHA-256, and a certificate an encoding", e);
    }
  }
}
