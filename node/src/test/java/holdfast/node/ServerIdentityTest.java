package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.Violation;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.wire.Request;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.Test;

/** A server that is not who it should be, and one that passes another's challenge on. */
@SuppressWarnings({
  "JavaUtilDate",
  "AddressSelection"
}) // what the certificate builder and the test need
class ServerIdentityTest extends MaliciousServerTest {
  private static final String EXTENSION = "2.25.229138047283016413087465118346420912673";

  @Test
  void serverThatIsNotThePinnedOne() throws Exception {
    try (Meddler other =
            new Meddler(fixture.node.endpoint(), fixture.node.identity(), fixture.stranger);
        Server pinned = Server.at(other.endpoint(), fixture.node.identity())) {
      refused(Violation.WRONG_SERVER, "as pinned", pinned::status);
      assertThat(other.opened.get()).isZero();
    }
  }

  @Test
  void relayedPossessionChallenge() throws Exception {
    // The server in the middle has a key of its own, and the client has pinned it. It hands the
    // client the honest server's nonce, and the honest server the client's answer.
    try (Meddler middle =
            new Meddler(fixture.node.endpoint(), fixture.node.identity(), fixture.stranger);
        Server through = Server.at(middle.endpoint(), middle.identity())) {
      assertThat(
              catchCode(() ->
                  through.openWriter(
                      fixture.capsule,
                      fixture.owner,
                      fixture.contentKey,
                      WriterOptions.defaults())))
          .isEqualTo(ErrorCode.VIOLATION);
      assertThat(middle.requests).anyMatch(Request::hasPossess);
    }
    // The same through a server that shows the honest server's own identity succeeds.
    server
        .openWriter(fixture.capsule, fixture.owner, fixture.contentKey, WriterOptions.defaults())
        .close();
  }

  private static ErrorCode catchCode(org.assertj.core.api.ThrowableAssert.ThrowingCallable what) {
    return org.assertj.core.api.Assertions.catchThrowableOfType(
            holdfast.base.HoldfastException.class, what)
        .code();
  }

  // ---- Certificates -----------------------------------------------------------------------------

  /** What to put into a certificate for a TLS key, or nothing. */
  private interface Binding {
    byte[] extension(byte[] publicKey);
  }

  private void expect(String words, Binding binding) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair pair = generator.generateKeyPair();
    X500Name name = new X500Name("CN=holdfast");
    Instant now = Instant.now();
    var builder =
        new JcaX509v3CertificateBuilder(
            name,
            BigInteger.TEN,
            Date.from(now.minusSeconds(1000)),
            Date.from(now.plusSeconds(1000)),
            name,
            pair.getPublic());
    byte[] extension = binding.extension(pair.getPublic().getEncoded());
    if (extension.length > 0) {
      builder.addExtension(new ASN1ObjectIdentifier(EXTENSION), false, extension);
    }
    X509Certificate certificate =
        new JcaX509CertificateConverter()
            .getCertificate(
                builder.build(
                    new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate())));
    io.grpc.Server listening =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .sslContext(
                GrpcSslContexts.configure(
                        SslContextBuilder.forServer(pair.getPrivate(), certificate))
                    .protocols("TLSv1.3")
                    .build())
            .addService(meddler)
            .build()
            .start();
    try (Server client =
        Server.at(new Endpoint("127.0.0.1", listening.getPort()), fixture.node.identity())) {
      refused(Violation.WRONG_SERVER, words, client::status);
    } finally {
      listening.shutdownNow();
    }
  }

  private static byte[] bound(SigningKey named, SigningKey signer, byte[] publicKey) {
    byte[] extension = Arrays.copyOf(named.verifyKey().bytes().toArray(), 96);
    System.arraycopy(signer.sign(Domain.TLS_BINDING, publicKey), 0, extension, 32, 64);
    return extension;
  }

  @Test
  void certificateWithoutAnIdentity() throws Exception {
    expect("does not carry a Holdfast identity", publicKey -> new byte[0]);
  }

  @Test
  void certificateThatNamesAnIdentityWithoutItsSignature() throws Exception {
    expect(
        "did not sign the certificate's key",
        publicKey -> bound(fixture.nodeKey(), fixture.stranger, publicKey));
  }

  @Test
  void bindingStolenFromAnotherCertificate() throws Exception {
    expect(
        "did not sign the certificate's key",
        publicKey -> bound(fixture.nodeKey(), fixture.nodeKey(), new byte[91]));
  }

  @Test
  void bindingOfAnotherLength() throws Exception {
    expect(
        "is malformed",
        publicKey -> Arrays.copyOf(bound(fixture.nodeKey(), fixture.nodeKey(), publicKey), 95));
  }

  @Test
  void certificateOfAnotherIdentity() throws Exception {
    expect("as pinned", publicKey -> bound(fixture.stranger, fixture.stranger, publicKey));
  }
}
