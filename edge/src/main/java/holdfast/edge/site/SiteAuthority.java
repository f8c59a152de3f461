package holdfast.edge.site;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.client.PrivateFiles;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509CRL;
import java.security.cert.X509CRLEntry;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLNumber;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.jcajce.JcaX509CRLConverter;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.jspecify.annotations.Nullable;

/**
 * The authority of a site: issues certificates and revokes them. Several processes may use one
 * folder; what changes it is done by one at a time.
 */
public final class SiteAuthority {
  /** How long an authority is valid when nothing is said. */
  public static final Duration AUTHORITY_VALIDITY = Duration.ofDays(3650);

  /** How long a certificate is valid when nothing is said. */
  public static final Duration CERTIFICATE_VALIDITY = Duration.ofDays(397);

  /** A server's certificate of which less is left is issued anew. */
  public static final Duration RENEWAL = Duration.ofDays(30);

  private static final String KEY = "ca.key";
  private static final String CERTIFICATE = "ca.pem";
  private static final String REVOKED = "crl.pem";
  private static final String ISSUED = "issued";
  private static final String ALGORITHM = "SHA256withECDSA";
  private static final SecureRandom RANDOM = new SecureRandom();

  /** Clocks of others may be behind ours by this much. */
  private static final Duration BACKDATED = Duration.ofMinutes(5);

  private static final int SERIAL_BITS = 126;
  private static final int MOST_NAMES = 64;

  private final Path folder;
  private final InstantSource clock;
  private final X509Certificate certificate;
  private final PrivateKey key;

  private SiteAuthority(
      Path folder, InstantSource clock, X509Certificate certificate, PrivateKey key) {
    this.folder = folder;
    this.clock = clock;
    this.certificate = certificate;
    this.key = key;
  }

  /**
   * A new certificate with its private key, in PEM.
   *
   * @param chain the certificate, and that of the authority below it
   */
  public record Issue(IssuedCertificate issued, String chain, String key) {
    /** Leaves the key out. */
    @Override
    public String toString() {
      return "Issue[" + issued.holder() + ", " + issued.serial() + "]";
    }
  }

  /** Whether there is an authority in a folder. */
  public static boolean exists(Path folder) {
    return Files.exists(folder.resolve(KEY));
  }

  /**
   * Makes an authority.
   *
   * @param name what it is called in its certificate
   * @throws HoldfastException INVALID when there is one already: it is never overwritten
   */
  public static SiteAuthority init(
      Path folder, String name, Duration validity, InstantSource clock) {
    requireName(name);
    requirePositive(validity);
    return locked(
        folder,
        () -> {
          if (exists(folder)) {
            throw new HoldfastException(
                ErrorCode.INVALID,
                "there is an authority in " + folder + " already, and it is never overwritten");
          }
          KeyPair pair = keyPair();
          Instant now = clock.instant();
          var subject = new X500NameBuilder().addRDN(BCStyle.CN, name).build();
          var builder =
              new JcaX509v3CertificateBuilder(
                  subject,
                  serial(),
                  Date.from(now.minus(BACKDATED)),
                  Date.from(now.plus(validity)),
                  subject,
                  pair.getPublic());
          var extensions = new JcaX509ExtensionUtils();
          builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
          builder.addExtension(
              Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
          builder.addExtension(
              Extension.subjectKeyIdentifier,
              false,
              extensions.createSubjectKeyIdentifier(pair.getPublic()));
          X509Certificate made = sign(builder, pair.getPrivate());
          SiteAuthority authority = new SiteAuthority(folder, clock, made, pair.getPrivate());
          PrivateFiles.write(folder.resolve(CERTIFICATE), Pem.write(made));
          authority.writeRevocations(List.of(), null, BigInteger.ONE);
          // Last: with the key the authority exists.
          PrivateFiles.create(folder.resolve(KEY), Pem.write(pair.getPrivate()));
          return authority;
        });
  }

  /** Opens the authority in a folder. */
  public static SiteAuthority open(Path folder, InstantSource clock) {
    if (!exists(folder)) {
      throw new HoldfastException(
          ErrorCode.NOT_FOUND,
          "there is no authority in " + folder + "; 'holdfast ca init' makes one");
    }
    X509Certificate certificate = Pem.certificates(folder.resolve(CERTIFICATE)).getFirst();
    return new SiteAuthority(folder, clock, certificate, Pem.key(folder.resolve(KEY)));
  }

  /** The authority's own certificate. */
  public X509Certificate certificate() {
    return certificate;
  }

  /** The file of the authority's certificate, which clients trust. */
  public Path certificateFile() {
    return folder.resolve(CERTIFICATE);
  }

  /** The file that says what was revoked. */
  public Path revocationFile() {
    return folder.resolve(REVOKED);
  }

  /**
   * Issues a certificate for a new key.
   *
   * @param hosts host names and addresses under which the holder serves; empty for who only
   *     connects
   * @param validity from now on; never longer than the authority's own
   */
  public Issue issue(Holder holder, List<String> hosts, Duration validity) {
    requirePositive(validity);
    if (holder.kind().serves() == hosts.isEmpty() || hosts.size() > MOST_NAMES) {
      throw new IllegalArgumentException(
          holder.kind().serves()
              ? "a certificate of a server names 1 to " + MOST_NAMES + " hosts"
              : "a " + holder.kind() + " only connects; its certificate names no host");
    }
    return locked(
        folder,
        () -> {
          Instant now = clock.instant();
          Instant end = certificate.getNotAfter().toInstant();
          if (!now.isBefore(end)) {
            throw new HoldfastException(
                ErrorCode.INVALID, "the authority in " + folder + " expired at " + end);
          }
          KeyPair pair = keyPair();
          Instant until = now.plus(validity);
          var subject =
              new X500NameBuilder()
                  .addRDN(BCStyle.OU, holder.kind().toString())
                  .addRDN(BCStyle.CN, holder.name())
                  .build();
          var builder =
              new JcaX509v3CertificateBuilder(
                  certificate,
                  serial(),
                  Date.from(now.minus(BACKDATED)),
                  Date.from(until.isAfter(end) ? end : until),
                  new javax.security.auth.x500.X500Principal(subject.getEncoded()),
                  pair.getPublic());
          var extensions = new JcaX509ExtensionUtils();
          builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
          builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
          builder.addExtension(
              Extension.extendedKeyUsage,
              false,
              new ExtendedKeyUsage(
                  holder.kind().serves()
                      ? new KeyPurposeId[] {
                        KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
                      }
                      : new KeyPurposeId[] {KeyPurposeId.id_kp_clientAuth}));
          builder.addExtension(Extension.subjectAlternativeName, false, names(holder, hosts));
          builder.addExtension(
              Extension.subjectKeyIdentifier,
              false,
              extensions.createSubjectKeyIdentifier(pair.getPublic()));
          builder.addExtension(
              Extension.authorityKeyIdentifier,
              false,
              extensions.createAuthorityKeyIdentifier(certificate));
          X509Certificate made = sign(builder, key);
          PrivateFiles.create(
              folder.resolve(ISSUED).resolve(IssuedCertificate.serialOf(made) + ".pem"),
              Pem.write(made));
          return new Issue(
              new IssuedCertificate(holder, made, null),
              Pem.write(made) + Pem.write(certificate),
              Pem.write(pair.getPrivate()));
        });
  }

  /**
   * Whether a certificate of a server should be issued anew: it runs out soon and a new one would
   * last longer, it lacks a host, it is not of this authority, or its key does not belong to it.
   *
   * @param chain file of the certificate and those below it
   * @param privateKey file of its key
   */
  public boolean shouldRenew(Path chain, Path privateKey, List<String> hosts) {
    X509Certificate shown;
    try {
      shown = Pem.certificates(chain).getFirst();
      if (!fits(Pem.key(privateKey), shown.getPublicKey())) {
        return true;
      }
      shown.verify(certificate.getPublicKey());
    } catch (HoldfastException | GeneralSecurityException e) {
      return true;
    }
    Instant end = shown.getNotAfter().toInstant();
    boolean soon = clock.instant().plus(RENEWAL).isAfter(end);
    return (soon && end.isBefore(certificate.getNotAfter().toInstant()))
        || !namesOf(shown).containsAll(hosts.stream().map(SiteAuthority::canonical).toList());
  }

  private static Set<String> namesOf(X509Certificate shown) {
    try {
      Collection<List<?>> names = shown.getSubjectAlternativeNames();
      return names == null
          ? Set.of()
          : names.stream()
              .filter(one ->
                  one.getFirst().equals(GeneralName.dNSName)
                      || one.getFirst().equals(GeneralName.iPAddress))
              .map(one -> canonical(String.valueOf(one.get(1))))
              .collect(Collectors.toSet());
    } catch (CertificateParsingException e) {
      return Set.of();
    }
  }

  /** A host in the one way of writing it: addresses of IPv6 have several. */
  private static String canonical(String host) {
    return address(host) ? InetAddress.ofLiteral(host).getHostAddress() : host;
  }

  /** Every certificate that was issued, oldest first. */
  public List<IssuedCertificate> list() {
    X509CRL revoked = Pem.revocations(revocationFile());
    List<IssuedCertificate> all = new ArrayList<>();
    for (Path file : issuedFiles()) {
      X509Certificate one = Pem.certificates(file).getFirst();
      Holder holder =
          Holder.of(one)
              .orElseThrow(() ->
                  new HoldfastException(
                      ErrorCode.INVALID, file + " is no certificate of this authority"));
      X509CRLEntry entry = revoked.getRevokedCertificate(one.getSerialNumber());
      all.add(
          new IssuedCertificate(
              holder, one, entry == null ? null : entry.getRevocationDate().toInstant()));
    }
    all.sort(
        Comparator.comparing((IssuedCertificate one) -> one.certificate().getNotBefore())
            .thenComparing(IssuedCertificate::serial));
    return all;
  }

  private List<Path> issuedFiles() {
    Path issued = folder.resolve(ISSUED);
    if (!Files.isDirectory(issued)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(issued)) {
      return files.filter(file -> file.toString().endsWith(".pem")).sorted().toList();
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read " + issued + ": " + e, e);
    }
  }

  /**
   * The certificates that a user means: those of a holder, written {@code NAME} or {@code
   * KIND/NAME}, or the one whose serial number begins so, with 6 digits at least.
   */
  public List<IssuedCertificate> find(String selector) {
    List<IssuedCertificate> all = list();
    List<IssuedCertificate> held =
        all.stream()
            .filter(one ->
                one.holder().name().equals(selector)
                    || (one.holder().kind() + "/" + one.holder().name()).equals(selector))
            .toList();
    if (!held.isEmpty() || !selector.matches("[0-9A-Fa-f]{6,}")) {
      return held;
    }
    String digits = selector.toUpperCase(Locale.ROOT);
    return all.stream().filter(one -> one.serial().startsWith(digits)).toList();
  }

  /**
   * Revokes certificates and signs the list anew. One that was revoked before stays as it is.
   *
   * @return those that are revoked now and were not before
   */
  public List<IssuedCertificate> revoke(List<IssuedCertificate> certificates) {
    return locked(
        folder,
        () -> {
          X509CRL before = Pem.revocations(revocationFile());
          List<IssuedCertificate> fresh = new ArrayList<>();
          Date now = Date.from(clock.instant());
          Set<BigInteger> serials =
              certificates.stream()
                  .map(one -> one.certificate().getSerialNumber())
                  .collect(Collectors.toSet());
          for (IssuedCertificate one : list()) {
            if (serials.contains(one.certificate().getSerialNumber()) && one.revoked() == null) {
              fresh.add(new IssuedCertificate(one.holder(), one.certificate(), now.toInstant()));
            }
          }
          if (!fresh.isEmpty()) {
            writeRevocations(fresh, before, RevocationList.number(before).add(BigInteger.ONE));
          }
          return fresh;
        });
  }

  private void writeRevocations(
      List<IssuedCertificate> fresh, @Nullable X509CRL before, BigInteger number)
      throws IOException, GeneralSecurityException, OperatorCreationException {
    Date now = Date.from(clock.instant());
    JcaX509v2CRLBuilder builder = new JcaX509v2CRLBuilder(certificate, now);
    // Whoever has the file has the newest list: it never becomes too old to go by.
    builder.setNextUpdate(certificate.getNotAfter());
    if (before != null) {
      builder.addCRL(new org.bouncycastle.cert.jcajce.JcaX509CRLHolder(before));
    }
    for (IssuedCertificate one : fresh) {
      builder.addCRLEntry(one.certificate().getSerialNumber(), now, CRLReason.unspecified);
    }
    builder.addExtension(Extension.cRLNumber, false, new CRLNumber(number));
    builder.addExtension(
        Extension.authorityKeyIdentifier,
        false,
        new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(certificate));
    X509CRL made =
        new JcaX509CRLConverter()
            .getCRL(builder.build(new JcaContentSignerBuilder(ALGORITHM).build(key)));
    PrivateFiles.write(revocationFile(), Pem.write("X509 CRL", made.getEncoded()));
  }

  // ---- Parts of a certificate -------------------------------------------------------------------

  private static void requireName(String name) {
    if (name.isBlank() || name.length() > 64) {
      throw new IllegalArgumentException("the name of an authority has 1 to 64 characters");
    }
  }

  private static void requirePositive(Duration validity) {
    if (validity.isNegative() || validity.isZero()) {
      throw new IllegalArgumentException("a certificate is valid for some time, not " + validity);
    }
  }

  private static GeneralNames names(Holder holder, List<String> hosts) {
    List<GeneralName> names = new ArrayList<>();
    for (String host : hosts) {
      names.add(new GeneralName(address(host) ? GeneralName.iPAddress : GeneralName.dNSName, host));
    }
    names.add(new GeneralName(GeneralName.uniformResourceIdentifier, holder.uri()));
    return new GeneralNames(names.toArray(GeneralName[]::new));
  }

  private static boolean address(String host) {
    try {
      InetAddress.ofLiteral(host);
      return true;
    } catch (IllegalArgumentException e) {
      if (!host.matches("(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*") || host.length() > 253) {
        throw new IllegalArgumentException("'" + host + "' is no host name and no address", e);
      }
      return false;
    }
  }

  private static BigInteger serial() {
    // At least one high bit, so that all have the same number of digits.
    return new BigInteger(SERIAL_BITS, RANDOM).setBit(SERIAL_BITS);
  }

  private static KeyPair keyPair() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"), RANDOM);
    return generator.generateKeyPair();
  }

  private static X509Certificate sign(JcaX509v3CertificateBuilder builder, PrivateKey with)
      throws GeneralSecurityException, OperatorCreationException {
    return new JcaX509CertificateConverter()
        .getCertificate(builder.build(new JcaContentSignerBuilder(ALGORITHM).build(with)));
  }

  /** Whether a key belongs to a certificate. */
  static boolean fits(PrivateKey key, PublicKey certified) {
    byte[] probe = new byte[32];
    RANDOM.nextBytes(probe);
    String algorithm = key.getAlgorithm().equals("EC") ? ALGORITHM : "SHA256withRSA";
    try {
      var signer = java.security.Signature.getInstance(algorithm);
      signer.initSign(key);
      signer.update(probe);
      byte[] signature = signer.sign();
      signer.initVerify(certified);
      signer.update(probe);
      return signer.verify(signature);
    } catch (GeneralSecurityException e) {
      // A key of another algorithm than the certificate's does not fit.
      return false;
    }
  }

  // ---- One at a time ----------------------------------------------------------------------------

  private interface Work<T> {
    T run() throws IOException, GeneralSecurityException, OperatorCreationException;
  }

  private static synchronized <T> T locked(Path folder, Work<T> work) {
    try {
      PrivateFiles.createFolders(folder);
      try (FileChannel file =
          FileChannel.open(
              folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        file.lock();
        return work.run();
      }
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot write to " + folder + ": " + e, e);
    } catch (GeneralSecurityException | OperatorCreationException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "the authority's key in " + folder + " cannot sign: " + e, e);
    }
  }
}
