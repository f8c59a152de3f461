package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.Home;
import holdfast.client.PrivateFiles;
import holdfast.client.Server;
import holdfast.crypto.ReaderKey;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.edge.site.Holder;
import holdfast.edge.site.SiteAuthority;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The folder of an edge.
 *
 * <pre>
 *   name             what the edge is called
 *   capsule          the name of its capsule
 *   keys/writer.pem  the key that writes it
 *   capsules/NAME/   its content keys
 *   node/            the data of its own capsule server
 *   view/            what is derived from the capsule; may be deleted
 *   site/            the authority of the site, unless another is used
 *   tls/             certificate and key of the REST interface
 *   copies           how many masters are to hold each record; not there for a majority
 *   successor        the capsule that a restoration makes; gone when it is done
 *   admin            addresses of the REST interface and of the edge's own server, the operator's
 *                    token, and what the edge's certificate is known by; made at each start
 * </pre>
 */
public final class EdgeFolder {
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final String WRITER = "writer.pem";

  private final Path folder;

  private EdgeFolder(Path folder) {
    this.folder = folder.toAbsolutePath().normalize();
  }

  /** The edge in a folder, which may not be set up yet. */
  public static EdgeFolder at(Path folder) {
    return new EdgeFolder(folder);
  }

  /** The folder itself. */
  public Path path() {
    return folder;
  }

  /** Whether the edge is set up. */
  public boolean initialised() {
    return Files.exists(folder.resolve("capsule"));
  }

  /** Where keys are kept. */
  public Home home() {
    return Home.at(folder);
  }

  /** The data folder of the edge's own server. */
  public Path node() {
    return folder.resolve("node");
  }

  Path view() {
    return folder.resolve("view");
  }

  /** The folder of the site's authority. */
  public Path site() {
    return folder.resolve("site");
  }

  /** The certificate that clients are shown, with those below it, PEM; unless another is given. */
  public Path certificate() {
    return folder.resolve("tls").resolve("server.pem");
  }

  /** Its private key, PEM. */
  public Path certificateKey() {
    return folder.resolve("tls").resolve("server.key");
  }

  private Path admin() {
    return folder.resolve("admin");
  }

  /** What the edge is called. */
  public String name() {
    return read("name");
  }

  /** The edge's capsule. */
  public Hash capsule() {
    return Hash.parse(read("capsule"));
  }

  SigningKey writer() {
    return home().key(home().keys().resolve(WRITER).toString());
  }

  List<ContentKey> contentKeys() {
    return contentKeys(capsule());
  }

  List<ContentKey> contentKeys(Hash capsule) {
    return home().contentKeys(capsule);
  }

  private String read(String file) {
    try {
      return Files.readString(folder.resolve(file)).strip();
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.NOT_FOUND,
          "there is no edge in " + folder + "; 'holdfast edge init' makes one",
          e);
    }
  }

  // ---- Set-up -----------------------------------------------------------------------------------

  /**
   * Sets an edge up: makes its keys, and its capsule on its own server. The operator's key owns the
   * capsule and can read it; it is not needed here any more afterwards.
   *
   * @param name what the edge is called: 1 to 64 of the characters that names of users have
   * @return the capsule
   */
  public Hash init(String name, SigningKey operator) throws ProofException {
    EdgeLeaf.requireName(name);
    if (initialised()) {
      throw new HoldfastException(
          ErrorCode.INVALID, "there is an edge in " + folder + " already; it is never overwritten");
    }
    try {
      PrivateFiles.createFolders(folder);
      SigningKey writer = requireWriter();
      Endpoint anywhere = new Endpoint("127.0.0.1", 0);
      try (Node node =
              Node.start(NodeOptions.of(node(), anywhere, anywhere, Set.of(operator.verifyKey())));
          Server server = Server.over(node.connect())) {
        Hash capsule = create(server, name, operator, writer.verifyKey(), null);
        complete(name, operator.verifyKey(), capsule);
        return capsule;
      }
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot write to " + folder + ": " + e, e);
    }
  }

  /** Makes a capsule on a server, the content key of which the operator can open. */
  Hash create(
      Server server, String name, SigningKey operator, VerifyKey writer, @Nullable Hash predecessor)
      throws ProofException {
    byte[] secret = new byte[ContentKey.SIZE];
    RANDOM.nextBytes(secret);
    ContentKey contentKey = new ContentKey(0, Secret.copyOf(secret));
    Arrays.fill(secret, (byte) 0);
    long now = System.currentTimeMillis();
    Metadata metadata =
        EdgeMetadata.make(name, operator.verifyKey(), writer, predecessor, now, RANDOM);
    Hash capsule = metadata.name();
    home().keep(capsule, contentKey);
    server.create(metadata, operator);
    ReaderKey.PublicHalf reader = operator.readerKey().publicHalf();
    server.declare(Statement.Grant.sign(capsule, now, contentKey, reader, operator));
    return capsule;
  }

  /** Writes what makes a folder that of an edge; the name of the capsule comes last. */
  void complete(String name, VerifyKey owner, Hash capsule) throws IOException {
    PrivateFiles.write(folder.resolve("name"), name + "\n");
    PrivateFiles.write(folder.resolve("owner"), owner + "\n");
    PrivateFiles.write(folder.resolve("capsule"), capsule + "\n");
  }

  /** The key that writes the capsule; made if it is not there. */
  SigningKey requireWriter() throws IOException {
    Path file = home().keys().resolve(WRITER);
    if (!Files.exists(file)) {
      PrivateFiles.create(file, SigningKey.generate(RANDOM).toPem());
    }
    return writer();
  }

  /** How many masters are to hold each record; 0 for a majority of them. */
  public int copies() {
    Path file = folder.resolve("copies");
    try {
      return Files.exists(file) ? Integer.parseInt(Files.readString(file).strip()) : 0;
    } catch (IOException | NumberFormatException e) {
      throw new HoldfastException(ErrorCode.INVALID, "the file " + file + " is malformed", e);
    }
  }

  /** Keeps how many masters are to hold each record; 0 for a majority of them. */
  public void keepCopies(int copies) {
    if (copies < 0 || copies > 100) {
      throw new IllegalArgumentException("records are copied to 1 to 100 masters, not " + copies);
    }
    try {
      PrivateFiles.write(folder.resolve("copies"), copies + "\n");
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot write to " + folder + ": " + e, e);
    }
  }

  /** The key of the operator, who owns the capsule. */
  public VerifyKey owner() {
    return VerifyKey.parse(read("owner"));
  }

  /**
   * The certificate of the REST interface, issued by the edge's own authority: when there is none,
   * when less than {@link SiteAuthority#RENEWAL} of it is left, and when it lacks a host. Without
   * the authority's key, which may be kept elsewhere, the one that is there stays.
   */
  void requireCertificate(List<String> hosts, InstantSource clock) {
    try {
      boolean there = Files.exists(certificate()) && Files.exists(certificateKey());
      if (there && !SiteAuthority.exists(site())) {
        return;
      }
      SiteAuthority authority =
          SiteAuthority.exists(site())
              ? SiteAuthority.open(site(), clock)
              : SiteAuthority.init(
                  site(), "Holdfast site of " + name(), SiteAuthority.AUTHORITY_VALIDITY, clock);
      if (!there || authority.shouldRenew(certificate(), certificateKey(), hosts)) {
        SiteAuthority.Issue issue =
            authority.issue(
                new Holder(Holder.Kind.EDGE, name()), hosts, SiteAuthority.CERTIFICATE_VALIDITY);
        // What is shown changes when both are there; a kill between them leads here again.
        PrivateFiles.write(certificate(), issue.chain());
        PrivateFiles.write(certificateKey(), issue.key());
      }
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot write to " + folder + ": " + e, e);
    }
  }

  // ---- The running edge -------------------------------------------------------------------------

  /**
   * How commands of the machine's operator reach the edge that runs.
   *
   * @param rest where it is reached from this machine
   * @param token what shows that one can read the folder
   * @param authority the file of certificates to trust
   * @param node where its own capsule server listens
   * @param identity of that server
   * @param fingerprint of the certificate that the edge shows, which may bear other names than its
   *     address
   */
  public record Admin(
      Endpoint rest,
      String token,
      Path authority,
      Endpoint node,
      VerifyKey identity,
      String fingerprint) {
    Admin showing(String certificate) {
      return new Admin(rest, token, authority, node, identity, certificate);
    }

    /** Leaves the token out. */
    @Override
    public String toString() {
      return "Admin[" + rest + "]";
    }
  }

  /** A token for this run, beside where the edge is reached. */
  static Admin admin(
      Endpoint listening, Path authority, Endpoint node, VerifyKey identity, String fingerprint) {
    byte[] token = new byte[32];
    RANDOM.nextBytes(token);
    return new Admin(
        reached(listening),
        HexFormat.of().formatHex(token),
        authority,
        node,
        identity,
        fingerprint);
  }

  /** Who listens on all addresses is reached by that of this machine itself. */
  private static Endpoint reached(Endpoint listening) {
    try {
      InetAddress address = InetAddress.ofLiteral(listening.host());
      return address.isAnyLocalAddress()
          ? new Endpoint(address instanceof Inet6Address ? "::1" : "127.0.0.1", listening.port())
          : listening;
    } catch (IllegalArgumentException named) {
      return listening;
    }
  }

  /** Says where the edge is, and how it is known. */
  void announce(Admin running) {
    try {
      PrivateFiles.write(
          admin(),
          String.join(
              "\n",
              running.rest().toString(),
              running.token(),
              running.authority().toString(),
              running.node().toString(),
              running.identity().toString(),
              running.fingerprint() + "\n"));
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot write " + admin(), e);
    }
  }

  /** How to reach the edge that runs here. */
  public Admin running() {
    try {
      List<String> lines = Files.readAllLines(admin());
      return new Admin(
          Endpoint.parse(lines.get(0)),
          lines.get(1),
          Path.of(lines.get(2)),
          Endpoint.parse(lines.get(3)),
          VerifyKey.parse(lines.get(4)),
          lines.get(5));
    } catch (IOException | IndexOutOfBoundsException e) {
      throw new HoldfastException(
          ErrorCode.UNREACHABLE,
          "no edge runs on the folder " + folder + "; start it: holdfast edge up",
          e);
    }
  }

  void withdraw() {
    try {
      Files.deleteIfExists(admin());
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot delete " + admin(), e);
    }
  }
}
