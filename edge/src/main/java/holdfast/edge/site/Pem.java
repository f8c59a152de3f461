package holdfast.edge.site;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Certificates, keys and revocation lists as text files; a failure names the file. */
final class Pem {
  private static final Base64.Encoder LINES =
      Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));

  private Pem() {}

  static String write(String label, byte[] der) {
    return "-----BEGIN "
        + label
        + "-----\n"
        + LINES.encodeToString(der)
        + "\n-----END "
        + label
        + "-----\n";
  }

  static String write(X509Certificate certificate) {
    try {
      return write("CERTIFICATE", certificate.getEncoded());
    } catch (GeneralSecurityException e) {
      throw new AssertionError("a certificate has an encoding", e);
    }
  }

  static String write(PrivateKey key) {
    return write("PRIVATE KEY", key.getEncoded());
  }

  /** The certificates of a file, the holder's first; there is one at least. */
  static List<X509Certificate> certificates(Path file) {
    try {
      List<X509Certificate> chain = new ArrayList<>();
      for (Certificate one : x509().generateCertificates(bytes(file))) {
        chain.add((X509Certificate) one);
      }
      if (chain.isEmpty()) {
        throw malformed(file, "a certificate", null);
      }
      return chain;
    } catch (GeneralSecurityException e) {
      throw malformed(file, "a certificate", e);
    }
  }

  static X509CRL revocations(Path file) {
    try {
      return (X509CRL) x509().generateCRL(bytes(file));
    } catch (GeneralSecurityException e) {
      throw malformed(file, "a revocation list", e);
    }
  }

  /** A private key in PKCS#8, of an elliptic curve or RSA. */
  static PrivateKey key(Path file) {
    String text = new String(read(file), StandardCharsets.ISO_8859_1);
    int begin = text.indexOf("-----BEGIN PRIVATE KEY-----");
    int end = text.indexOf("-----END PRIVATE KEY-----");
    if (begin < 0 || end < begin) {
      throw malformed(file, "a private key in PKCS#8 (BEGIN PRIVATE KEY)", null);
    }
    try {
      byte[] der =
          Base64.getMimeDecoder()
              .decode(text.substring(begin + "-----BEGIN PRIVATE KEY-----".length(), end));
      PKCS8EncodedKeySpec encoded = new PKCS8EncodedKeySpec(der);
      // The algorithm stands in the encoding, and the JDK wants to be told it beforehand.
      try {
        return KeyFactory.getInstance("EC").generatePrivate(encoded);
      } catch (GeneralSecurityException notOfCurve) {
        return KeyFactory.getInstance("RSA").generatePrivate(encoded);
      }
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      // The cause is left out: it may quote the key.
      throw malformed(file, "a private key of an elliptic curve or RSA", null);
    }
  }

  private static CertificateFactory x509() throws GeneralSecurityException {
    return CertificateFactory.getInstance("X.509");
  }

  private static ByteArrayInputStream bytes(Path file) {
    return new ByteArrayInputStream(read(file));
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new HoldfastException(ErrorCode.NOT_FOUND, "there is no file " + file, e);
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read " + file + ": " + e, e);
    }
  }

  private static HoldfastException malformed(
      Path file, String expected, @org.jspecify.annotations.Nullable Exception cause) {
    String message = file + " does not hold " + expected;
    return cause == null
        ? new HoldfastException(ErrorCode.INVALID, message)
        : new HoldfastException(ErrorCode.INVALID, message, cause);
  }
}
