package holdfast.cli;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Home;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Creates a capsule. */
@Command(
    name = "create",
    description = "Creates a capsule and prints its name.",
    footerHeading = "%n",
    footer = {
      "The key owns the capsule and, without --writer, writes it. Its content key is made with it and",
      "kept in HOLDFAST_HOME; it is granted to the owner's key too, so that the key file suffices.",
      "",
      "Examples:",
      "  holdfast create --key me.pem",
      "  C=$(holdfast create --key me.pem --writer ed25519:… --description 'cold store, line 2')",
      "  holdfast create --key me.pem --copies 3",
      "",
      "JSON: capsule, owner, writers, server; with --copies also placed (the servers)"
    })
final class CreateCommand extends ServerCommand {
  @Mixin OwnerKey key = new OwnerKey();

  @Option(
      names = "--writer",
      paramLabel = "KEY",
      arity = "1..*",
      split = ",",
      description = "Keys that may write, fixed for ever; KEY or LABEL=KEY. Default: the owner's.")
  List<String> writer = new ArrayList<>();

  @Option(
      names = "--description",
      paramLabel = "TEXT",
      defaultValue = "",
      description = "What it is, for people. Not secret.")
  String description = "";

  @Option(
      names = "--copies",
      paramLabel = "N",
      description =
          "Create it on N of the servers of the cluster, or of those pinned here, chosen by its name, and"
              + " place it there.")
  @Nullable Integer copies;

  CreateCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    Home home = terminal.home();
    SigningKey owner = key.read(terminal);
    if (copies != null) {
      Metadata metadata = metadata(owner, writers(owner), description);
      List<Endpoint> chosen = Choice.among(home).choose(metadata.name(), copies);
      return createOn(home, owner, metadata, chosen);
    }
    try (Server target = connect()) {
      Metadata metadata = create(home, target, owner, writers(owner), description);
      print(
          Json.object()
              .put("capsule", metadata.name())
              .put("owner", metadata.owner())
              .put("writers", metadata.writers().stream().map(w -> w.key().toString()).toList())
              .put("server", target.endpoint()),
          metadata.name().toString());
    }
    return 0;
  }

  private int createOn(Home home, SigningKey owner, Metadata metadata, List<Endpoint> chosen)
      throws holdfast.base.ProofException {
    List<Server> servers = new ArrayList<>();
    try {
      chosen.forEach(one -> servers.add(Server.at(one, home.trust())));
      put(home, servers.getFirst(), owner, metadata);
      Placing.Placed placed;
      try (CapsuleReader reader =
          servers.getFirst().openReader(metadata.name(), List.of(), ReaderOptions.withoutCache())) {
        placed = Placing.place(reader, servers, owner);
      }
      home.keep(placed.placement());
      print(
          Json.object()
              .put("capsule", metadata.name())
              .put("owner", metadata.owner())
              .put("writers", metadata.writers().stream().map(w -> w.key().toString()).toList())
              .put("server", chosen.getFirst())
              .put("placed", chosen.stream().map(Endpoint::toString).toList()),
          metadata.name().toString());
      if (!placed.complete()) {
        throw Failure.failed(
            "the capsule is created, and not every server has acknowledged the placement",
            "Run: holdfast place " + metadata.name() + " --copies " + chosen.size());
      }
      return 0;
    } finally {
      servers.forEach(Server::close);
    }
  }

  private List<Metadata.Writer> writers(SigningKey owner) {
    List<Metadata.Writer> writers = new ArrayList<>();
    for (String one : writer) {
      int equals = one.indexOf('=');
      writers.add(
          new Metadata.Writer(
              VerifyKey.parse(one.substring(equals + 1)),
              equals < 0 ? "" : one.substring(0, equals)));
    }
    return writers.isEmpty() ? List.of(new Metadata.Writer(owner.verifyKey(), "owner")) : writers;
  }

  /** Creates a capsule with a fresh content key, which is kept before anything is sent. */
  static Metadata create(
      Home home, Server server, SigningKey owner, List<Metadata.Writer> writers, String description)
      throws holdfast.base.ProofException {
    Metadata metadata = metadata(owner, writers, description);
    put(home, server, owner, metadata);
    return metadata;
  }

  private static Metadata metadata(
      SigningKey owner, List<Metadata.Writer> writers, String description) {
    SecureRandom random = new SecureRandom();
    byte[] nonce = new byte[Metadata.NONCE_SIZE];
    random.nextBytes(nonce);
    long now = System.currentTimeMillis();
    return new Metadata(
        owner.verifyKey(), writers, description, now, "", Bytes.wrap(nonce), new TreeMap<>());
  }

  private static void put(Home home, Server server, SigningKey owner, Metadata metadata)
      throws holdfast.base.ProofException {
    Hash name = metadata.name();
    ContentKey contentKey = freshContentKey(0);
    home.keep(name, contentKey);
    server.create(metadata, owner);
    home.remember(name, server.endpoint());
    server.declare(
        Statement.Grant.sign(
            name, metadata.createdMillis(), contentKey, owner.readerKey().publicHalf(), owner));
  }

  static ContentKey freshContentKey(int epoch) {
    byte[] secret = new byte[ContentKey.SIZE];
    new SecureRandom().nextBytes(secret);
    ContentKey made = new ContentKey(epoch, Secret.copyOf(secret));
    java.util.Arrays.fill(secret, (byte) 0);
    return made;
  }
}
