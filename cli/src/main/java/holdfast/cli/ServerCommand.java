package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Home;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** A command that talks to a server. */
abstract class ServerCommand extends BaseCommand {
  static final Endpoint LOCAL = new Endpoint("127.0.0.1", Endpoint.DEFAULT_PORT);

  @Option(
      names = "--server",
      paramLabel = "HOST:PORT",
      description =
          "The server to use. Default: the one where the capsule was last used, or 127.0.0.1:7420.",
      order = 990)
  @Nullable String server;

  ServerCommand(Terminal terminal) {
    super(terminal);
  }

  /** A capsule on a server. */
  record Target(Home home, Server server, Hash capsule) implements AutoCloseable {
    CapsuleReader reader() throws ProofException {
      return server.openReader(capsule, List.of(), ReaderOptions.withoutCache());
    }

    @Override
    public void close() {
      server.close();
    }
  }

  final Server connect(Endpoint byDefault) {
    Endpoint endpoint = server == null ? byDefault : Endpoint.parse(server);
    return Server.at(endpoint, terminal.home().trust());
  }

  /** Finds a capsule by the beginning of its name. */
  final Target open(String prefix) throws ProofException {
    Home home = terminal.home();
    String digits = digits(prefix, "capsule");
    List<Hash> known = home.capsules(digits);
    Endpoint byDefault = known.size() == 1 ? home.server(known.getFirst()).orElse(LOCAL) : LOCAL;
    Server connected = connect(byDefault);
    try {
      Hash capsule = connected.resolveCapsule(digits);
      if (home.capsules(capsule.toString()).isEmpty() || server != null) {
        // The name is known to be right once the server has shown the metadata it is the hash of.
        connected.openReader(capsule, List.of(), ReaderOptions.withoutCache()).close();
        home.remember(capsule, connected.endpoint());
      }
      return new Target(home, connected, capsule);
    } catch (ProofException | RuntimeException e) {
      connected.close();
      throw e;
    }
  }

  static String digits(String name, String what) {
    String digits = name.toLowerCase(Locale.ROOT);
    if (!digits.matches("[0-9a-f]{1,64}")) {
      throw Failure.usage(
          "'" + name + "' is no name of a " + what + ", nor the beginning of one",
          "A name is 64 hexadecimal digits; the first few will do.");
    }
    return digits;
  }

  /** A record, or a leaf of it, as written on the command line. */
  record Reference(Hash record, int leaf) {
    boolean hasLeaf() {
      return leaf >= 0;
    }
  }

  /** Finds RECORD or RECORD/LEAF. */
  static Reference reference(CapsuleReader reader, String text) throws ProofException {
    int slash = text.indexOf('/');
    int leaf = -1;
    if (slash >= 0) {
      String number = text.substring(slash + 1);
      if (!number.matches("\\d{1,9}")) {
        throw Failure.usage(
            "'" + number + "' is no number of a leaf", "Leaves count from 0: RECORD/0");
      }
      leaf = Integer.parseInt(number);
    }
    String prefix = digits(slash < 0 ? text : text.substring(0, slash), "record");
    return new Reference(reader.resolve(prefix), leaf);
  }

  /**
   * The content keys at hand: those kept here, and those the owner has granted to a key at hand,
   * which are then kept too.
   */
  static List<ContentKey> contentKeys(Home home, CapsuleReader reader, List<SigningKey> keys)
      throws ProofException {
    Hash capsule = reader.metadata().name();
    List<ContentKey> held = new ArrayList<>(home.contentKeys(capsule));
    List<SigningKey> mine = new ArrayList<>(keys);
    mine.addAll(home.keptKeys());
    if (mine.isEmpty()) {
      return held;
    }
    for (Statement statement : reader.statements(true)) {
      if (statement instanceof Statement.Grant grant
          && held.stream().noneMatch(key -> key.epoch() == grant.epoch())) {
        for (SigningKey key : mine) {
          if (key.readerKey().publicHalf().equals(grant.reader())) {
            ContentKey opened = grant.open(key.readerKey());
            home.keep(capsule, opened);
            held.add(opened);
            break;
          }
        }
      }
    }
    held.sort(java.util.Comparator.comparingInt(ContentKey::epoch));
    return held;
  }

  /** Reads a key file if one was named. */
  static List<SigningKey> keyIfNamed(Home home, @Nullable String file) {
    return file == null ? List.of() : List.of(home.key(file));
  }

  static Failure noContentKey(Hash capsule) {
    return Failure.failed(
        "no content key of capsule " + capsule.brief() + " is at hand",
        "Ask the owner: holdfast grant CAPSULE --to READER_KEY ('holdfast key show FILE' prints yours).");
  }
}
