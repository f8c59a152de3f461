package holdfast.cli;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.Home;
import holdfast.client.Server;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
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
      "",
      "JSON: capsule, owner, writers, server"
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

  CreateCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    Home home = terminal.home();
    SigningKey owner = key.read(terminal);
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
    SecureRandom random = new SecureRandom();
    byte[] nonce = new byte[Metadata.NONCE_SIZE];
    random.nextBytes(nonce);
    long now = System.currentTimeMillis();
    Metadata metadata =
        new Metadata(
            owner.verifyKey(), writers, description, now, "", Bytes.wrap(nonce), new TreeMap<>());
    Hash name = metadata.name();
    ContentKey contentKey = freshContentKey(0);
    home.keep(name, contentKey);
    server.create(metadata, owner);
    home.remember(name, server.endpoint());
    server.declare(
        Statement.Grant.sign(name, now, contentKey, owner.readerKey().publicHalf(), owner));
    return metadata;
  }

  static ContentKey freshContentKey(int epoch) {
    byte[] secret = new byte[ContentKey.SIZE];
    new SecureRandom().nextBytes(secret);
    ContentKey made = new ContentKey(epoch, Secret.copyOf(secret));
    java.util.Arrays.fill(secret, (byte) 0);
    return made;
  }
}
