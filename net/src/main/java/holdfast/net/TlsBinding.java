package holdfast.net;

import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * A TLS certificate that carries a node's identity: an extension with the 32 bytes of the Ed25519
 * key and its signature over tag ‖ SubjectPublicKeyInfo of the certificate.
 */
final class TlsBinding {
  /** Under the UUID arc of ITU-T X.667, which needs no registration. */
  private static final ASN1ObjectIdentifier EXTENSION =
      new ASN1ObjectIdentifier("2.25.229138047283016413087465118346420912673");

  private static final int IDENTITY_SIZE = 32;
  private static final Duration VALIDITY = Duration.ofDays(3650);

  private TlsBinding() {}

  /** A fresh certificate and its private key. */
  record Credentials(X509Certificate certificate, PrivateKey key) {}

  static Credentials issue(SigningKey identity, SecureRandom random) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"), random);
      KeyPair pair = generator.generateKeyPair();
      byte[] spki = pair.getPublic().getEncoded();
      byte[] signature = identity.sign(Domain.TLS_BINDING, spki);
      byte[] extension =
          Arrays.copyOf(
              identity.verifyKey().bytes().toArray(), IDENTITY_SIZE + VerifyKey.SIGNATURE_SIZE);
      System.arraycopy(signature, 0, extension, IDENTITY_SIZE, signature.length);
      Instant now = Instant.now();
      X500Name name = new X500Name("CN=holdfast " + identity.verifyKey().brief());
      var builder =
          new JcaX509v3CertificateBuilder(
              name,
              new BigInteger(64, random).add(BigInteger.ONE),
              Date.from(now.minus(Duration.ofDays(1))),
              Date.from(now.plus(VALIDITY)),
              name,
              pair.getPublic());
      builder.addExtension(EXTENSION, false, extension);
      var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate());
      return new Credentials(
          new JcaX509CertificateConverter().getCertificate(builder.build(signer)),
          pair.getPrivate());
    } catch (GeneralSecurityException | OperatorCreationException | IOException e) {
      throw new AssertionError("every JDK makes P-256 certificates", e);
    }
  }

  /** The identity that a certificate proves; {@link Violation#WRONG_SERVER} when it proves none. */
  static VerifyKey identityOf(X509Certificate certificate) throws ProofException {
    byte[] wrapped = certificate.getExtensionValue(EXTENSION.getId());
    if (wrapped == null) {
      throw new ProofException(
          Violation.WRONG_SERVER, "the peer's certificate does not carry a Holdfast identity");
    }
    byte[] content = ASN1OctetString.getInstance(wrapped).getOctets();
    if (content.length != IDENTITY_SIZE + VerifyKey.SIGNATURE_SIZE) {
      throw new ProofException(
          Violation.WRONG_SERVER, "the identity in the peer's certificate is malformed");
    }
    VerifyKey identity = VerifyKey.ed25519(Arrays.copyOf(content, IDENTITY_SIZE));
    byte[] signature = Arrays.copyOfRange(content, IDENTITY_SIZE, content.length);
    if (!identity.verifies(
        Domain.TLS_BINDING, certificate.getPublicKey().getEncoded(), signature)) {
      throw new ProofException(
          Violation.WRONG_SERVER,
          "the identity in the peer's certificate did not sign the certificate's key");
    }
    return identity;
  }

  static CertificateException refused(ProofException reason) {
    return new CertificateException(reason.getMessage(), reason);
  }
}
