package holdfast.device;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.NamedParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Set;

/**
 * The Ed25519 key pair of a device (RFC 8032). Kept as PKCS#8 PEM, which {@code openssl pkey}
 * reads. It does not print its private half.
 */
public final class DeviceKey {
  private static final String ALGORITHM = "Ed25519";
  private static final int SEED_SIZE = 32;
  private static final byte[] PKCS8_PREFIX =
      HexFormat.of().parseHex("302e020100300506032b657004220420");
  private static final byte[] X509_PREFIX = HexFormat.of().parseHex("302a300506032b6570032100");
  private static final String PEM_BEGIN = "-----BEGIN PRIVATE KEY-----";
  private static final String PEM_END = "-----END PRIVATE KEY-----";

  /** The y-coordinates of the eight points of small order, sign bit cleared, canonical or not. */
  private static final Set<String> SMALL_ORDER =
      Set.of(
          "0000000000000000000000000000000000000000000000000000000000000000",
          "0100000000000000000000000000000000000000000000000000000000000000",
          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");

  /** Order of the base point: the second half of a signature is below it. */
  private static final BigInteger ORDER =
      BigInteger.TWO.pow(252).add(new BigInteger("27742317777372353535851937790883648493"));

  private final byte[] seed;
  private final PrivateKey privateKey;
  private final Octets publicKey;

  private DeviceKey(byte[] seed) {
    this.seed = seed.clone();
    try {
      // The JDK derives the public half only when it makes a pair: give it the seed for its dice.
      KeyPairGenerator generator = KeyPairGenerator.getInstance(ALGORITHM, "SunEC");
      generator.initialize(NamedParameterSpec.ED25519, new Loaded(seed));
      KeyPair pair = generator.generateKeyPair();
      byte[] pkcs8 = pair.getPrivate().getEncoded();
      if (!Arrays.equals(pkcs8, pkcs8.length - SEED_SIZE, pkcs8.length, this.seed, 0, SEED_SIZE)) {
        throw new IllegalStateException("this JDK does not make an Ed25519 key of its seed");
      }
      privateKey = pair.getPrivate();
      byte[] x509 = pair.getPublic().getEncoded();
      publicKey = Octets.wrap(Arrays.copyOfRange(x509, x509.length - SEED_SIZE, x509.length));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK has no Ed25519", e);
    }
  }

  /** A source of randomness that yields a seed once. */
  private static final class Loaded extends SecureRandom {
    private static final long serialVersionUID = 1;

    private final byte[] seed;

    Loaded(byte[] seed) {
      this.seed = seed.clone();
    }

    @Override
    public void nextBytes(byte[] bytes) {
      if (bytes.length != seed.length) {
        throw new IllegalStateException("an Ed25519 seed has 32 bytes, not " + bytes.length);
      }
      System.arraycopy(seed, 0, bytes, 0, seed.length);
    }
  }

  /** The key pair of a seed of 32 bytes. */
  public static DeviceKey ofSeed(byte[] seed) {
    if (seed.length != SEED_SIZE) {
      throw new IllegalArgumentException("a seed has 32 bytes, not " + seed.length);
    }
    return new DeviceKey(seed);
  }

  /** A fresh key pair. */
  public static DeviceKey generate(SecureRandom random) {
    byte[] seed = new byte[SEED_SIZE];
    random.nextBytes(seed);
    DeviceKey key = new DeviceKey(seed);
    Arrays.fill(seed, (byte) 0);
    return key;
  }

  /** Parses PKCS#8 PEM, as {@link #toPem} and {@code openssl genpkey -algorithm ed25519} write. */
  public static DeviceKey parsePem(String pem) {
    int begin = pem.indexOf(PEM_BEGIN);
    int end = pem.indexOf(PEM_END);
    if (begin < 0 || end < begin) {
      throw new IllegalArgumentException("no PRIVATE KEY block found; expected PKCS#8 PEM");
    }
    byte[] der;
    try {
      der = Base64.getMimeDecoder().decode(pem.substring(begin + PEM_BEGIN.length(), end));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the PRIVATE KEY block is not base64", e);
    }
    if (der.length != PKCS8_PREFIX.length + SEED_SIZE
        || !Arrays.equals(der, 0, PKCS8_PREFIX.length, PKCS8_PREFIX, 0, PKCS8_PREFIX.length)) {
      throw new IllegalArgumentException("the PRIVATE KEY block does not hold an Ed25519 key");
    }
    return new DeviceKey(Arrays.copyOfRange(der, PKCS8_PREFIX.length, der.length));
  }

  /** The private key as PKCS#8 PEM; whoever reads it can sign for the device. */
  public String toPem() {
    byte[] der = Arrays.copyOf(PKCS8_PREFIX, PKCS8_PREFIX.length + SEED_SIZE);
    System.arraycopy(seed, 0, der, PKCS8_PREFIX.length, SEED_SIZE);
    String body = Base64.getEncoder().encodeToString(der);
    return PEM_BEGIN + "\n" + body + "\n" + PEM_END + "\n";
  }

  /** The public half, 32 bytes. */
  public Octets publicKey() {
    return publicKey;
  }

  /** Signs tag ‖ message: 64 bytes, the same every time. */
  public Octets sign(Tag tag, byte[] message) {
    try {
      Signature signer = Signature.getInstance(ALGORITHM, "SunEC");
      signer.initSign(privateKey);
      signer.update(tag.unsafeBytes());
      signer.update(message);
      return Octets.wrap(signer.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("signing with a valid key cannot fail", e);
    }
  }

  /** The signature with which a device shows, when it is enrolled, that it holds its key. */
  public Octets signEnrolment(String name, String user) {
    return sign(Tag.ENROL, enrolment(name, user));
  }

  /** What {@link #signEnrolment} signs, without the tag: text16 name ‖ text16 user. */
  public static byte[] enrolment(String name, String user) {
    Text.checkDevice(name);
    int size = Text.utf8Size(user);
    if (size < 1 || size > 0xFFFF) {
      throw new IllegalArgumentException("a user's name is well-formed text, unlike this one");
    }
    byte[] bytes = new byte[2 + name.getBytes(StandardCharsets.UTF_8).length + 2 + size];
    ByteBuffer out = ByteBuffer.wrap(bytes);
    Text.put16(out, name);
    Text.put16(out, user);
    return bytes;
  }

  /**
   * Whether a signature over tag ‖ message is by a key. Keys of small order verify nothing, since a
   * signature by one would hold for many messages.
   */
  public static boolean verifies(Octets key, Tag tag, byte[] message, Octets signature) {
    if (key.size() != Claim.KEY_SIZE
        || signature.size() != SignedClaim.SIGNATURE_SIZE
        || smallOrder(key)
        || !belowOrder(signature)) {
      return false;
    }
    byte[] x509 = Arrays.copyOf(X509_PREFIX, X509_PREFIX.length + Claim.KEY_SIZE);
    System.arraycopy(key.unsafeArray(), 0, x509, X509_PREFIX.length, Claim.KEY_SIZE);
    try {
      Signature verifier = Signature.getInstance(ALGORITHM, "SunEC");
      verifier.initVerify(
          KeyFactory.getInstance(ALGORITHM, "SunEC").generatePublic(new X509EncodedKeySpec(x509)));
      verifier.update(tag.unsafeBytes());
      verifier.update(message);
      return verifier.verify(signature.unsafeArray());
    } catch (GeneralSecurityException e) {
      // The JDK answers a malformed key or signature with an exception; both mean "no".
      return false;
    }
  }

  private static boolean smallOrder(Octets key) {
    byte[] y = key.toArray();
    y[31] &= 0x7F;
    return SMALL_ORDER.contains(HexFormat.of().formatHex(y));
  }

  private static boolean belowOrder(Octets signature) {
    byte[] reversed = new byte[32];
    for (int i = 0; i < 32; i++) {
      reversed[i] = signature.unsafeArray()[63 - i];
    }
    return new BigInteger(1, reversed).compareTo(ORDER) < 0;
  }

  @Override
  public String toString() {
    return "DeviceKey[" + publicKey + "]";
  }
}
