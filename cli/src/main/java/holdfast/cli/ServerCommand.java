package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Home;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A command that talks to a server. */
abstract class ServerCommand extends BaseCommand {
  private static final Endpoint LOCAL = new Endpoint("127.0.0.1", Endpoint.DEFAULT_PORT);

  private static final int CONNECT_MILLIS = 1000;

  /** Digits of a name that nobody makes another capsule to match. */
  private static final int COMPLETED_DIGITS = 16;

  @Option(
      names = "--server",
      paramLabel = "HOST:PORT|NAME",
      description =
          "The server to use, and no other; a name is one of 'holdfast context'. Default: those on which the capsule is placed, the one where"
              + " it was last used, or 127.0.0.1:7420, or node 1 of the cluster if nothing is there.",
      order = 990)
  @Nullable String server;

  @Option(
      names = "--node",
      paramLabel = "N",
      description = "A node of the cluster on this machine, in place of --server.",
      order = 991)
  @Nullable Integer node;

  @Spec @Nullable CommandSpec spec;

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

  /** The servers to read a capsule from, or to write it to. */
  final Source source(Target target) throws ProofException {
    return Source.of(terminal, target, chosen() != null);
  }

  /** The same for what cannot be taken back: all servers of the placements are asked for these. */
  final Source sourceOfAll(Target target) throws ProofException {
    return Source.ofAll(terminal, target, chosen() != null);
  }

  /** Connects to the server that was named, or to one on this machine. */
  final Server connect() {
    Endpoint endpoint = chosen();
    return Server.at(endpoint == null ? local() : endpoint, terminal.home().trust());
  }

  /** The server that was named; null if none was. */
  private @Nullable Endpoint chosen() {
    boolean typed = typed("--server");
    if (typed && typed("--node")) {
      throw Failure.usage("--server and --node both name a server", "Give one of them.");
    }
    if (node != null && !typed) {
      return Cluster.of(terminal.home()).node(node).endpoint();
    }
    return server == null ? null : Contexts.resolve(terminal.home(), server);
  }

  /** Whether a flag is on the command line, rather than in a setting. */
  private boolean typed(String flag) {
    return spec != null && spec.commandLine().getParseResult().hasMatchedOption(flag);
  }

  /** The server of this machine; if none is up there, the first node of the cluster if it is. */
  private Endpoint local() {
    Optional<Endpoint> first =
        Cluster.find(terminal.home())
            .map(cluster -> cluster.nodes().getFirst())
            .filter(one -> one.daemon().running().isPresent())
            .map(Cluster.Node::endpoint);
    return first.isPresent() && !listens(LOCAL) ? first.get() : LOCAL;
  }

  private static boolean listens(Endpoint endpoint) {
    try (Socket socket = new Socket()) {
      socket.connect(endpoint.socketAddress(), CONNECT_MILLIS);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Finds a capsule to read by the beginning of its name. What is known here is not asked of the
   * server; it may complete only a beginning that is too long for it to make a capsule to match.
   */
  final Target open(String prefix) throws ProofException {
    String digits = digits(prefix, "capsule");
    Optional<Hash> known = known(digits);
    if (known.isEmpty() && digits.length() < COMPLETED_DIGITS) {
      throw unknown(
          digits,
          "Give the full name, or at least "
              + COMPLETED_DIGITS
              + " digits for the server to complete.");
    }
    return open(known, digits);
  }

  /**
   * Finds a capsule to change or to add to, without the help of the server: it could name a capsule
   * of its own making, and be sent content under a key that it knows.
   */
  final Target openNamed(String name) throws ProofException {
    return open(Optional.of(named(name)), name);
  }

  private Target open(Optional<Hash> known, String digits) throws ProofException {
    Home home = terminal.home();
    Endpoint named = chosen();
    Endpoint endpoint = named != null ? named : known.flatMap(home::server).orElseGet(this::local);
    Server connected = Server.at(endpoint, home.trust());
    try {
      Hash capsule = known.isPresent() ? known.get() : connected.resolveCapsule(digits);
      if (known.isEmpty()) {
        // Not remembered: it would be known from then on, on nobody's word but the server's.
        terminal.note("the server completes " + digits + " as " + capsule);
      } else if (home.capsules(capsule.toString()).isEmpty() || named != null) {
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

  /** The name of a capsule, given in full or as the beginning of one that is known here. */
  final Hash named(String name) {
    String digits = digits(name, "capsule");
    return known(digits)
        .orElseThrow(() ->
            unknown(
                digits, "Give all 64 digits: a server is not asked to complete a name for this."));
  }

  private Optional<Hash> known(String digits) {
    if (digits.length() == 2 * Hash.SIZE) {
      return Optional.of(Hash.parse(digits));
    }
    List<Hash> found = terminal.home().capsules(digits);
    if (found.size() > 1) {
      throw Failure.failed(
          found.size() + " capsules known here begin with " + digits,
          "Give more digits: "
              + String.join(", ", found.stream().limit(5).map(Hash::brief).toList()));
    }
    return found.stream().findFirst();
  }

  private static Failure unknown(String digits, String next) {
    return Failure.failed("no capsule known here begins with " + digits, next);
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
   * which are then kept too, if the capsule is known here.
   */
  static List<ContentKey> contentKeys(Home home, CapsuleReader reader, List<SigningKey> keys)
      throws ProofException {
    Hash capsule = reader.metadata().name();
    List<ContentKey> held = new ArrayList<>(home.contentKeys(capsule));
    boolean known = !home.capsules(capsule.toString()).isEmpty();
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
            if (known) {
              home.keep(capsule, opened);
            }
            held.add(opened);
            break;
          }
        }
      }
    }
    held.sort(java.util.Comparator.comparingInt(ContentKey::epoch));
    return held;
  }

  /** Says on the error stream that a capsule is closed, and where it goes on. */
  final void noteIfClosed(CapsuleReader reader) throws ProofException {
    FinalHeads closing = reader.closing();
    if (closing != null) {
      terminal.note("closed by its owner; continues in capsule " + closing.successor());
    }
  }

  final void noteIfClosed(Source source) throws ProofException {
    source.ask(reader -> {
      noteIfClosed(reader);
      return true;
    });
  }

  /** The capsule in which a closed one goes on, for JSON; null while it is open. */
  static @Nullable Hash successor(CapsuleReader reader) throws ProofException {
    FinalHeads closing = reader.closing();
    return closing == null ? null : closing.successor();
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
