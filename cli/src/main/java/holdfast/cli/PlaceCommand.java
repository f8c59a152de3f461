package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.capsule.Holding;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Handover;
import holdfast.client.Placing;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Says which servers keep a capsule. */
@Command(
    name = "place",
    description = "Places a capsule on servers: the owner's signed word on which of them keep it.",
    footerHeading = "%n",
    footer = {
      "Each server gets the capsule, without its records, and all of them, those that kept it before",
      "too, get the placement. Writers and readers go by it from then on. A server that is not on this",
      "machine has to be pinned first: its identity becomes part of what the owner signs.",
      "",
      "With --copies the servers are chosen so that capsules spread evenly, and that a server which",
      "joins or leaves moves only what it takes over or had.",
      "",
      "A server that is no member any more goes on bringing the new ones what it has. It may be stopped",
      "when enough new ones sign that they hold what it holds: --status says so, and --wait waits for it.",
      "Nothing is deleted by that. Broken off, it is asked again; exit code 1 while it is not over.",
      "",
      "Examples:",
      "  holdfast place 3f2a --on one.example:7420,two.example:7420,three.example:7420 --key me.pem",
      "  holdfast place 3f2a --copies 3 --key me.pem",
      "  holdfast place 3f2a --status --wait",
      "",
      "JSON: capsule, version, statement, complete, servers (server, identity, member, acknowledged,",
      "reason); with --status or --wait: capsule, version, agreeing, needed, historyKnown, over,",
      "servers (server, identity, member, version, entries, digest, agrees, mayStop, reason)"
    })
final class PlaceCommand extends ServerCommand {
  private static final long AGAIN_MILLIS = 500;

  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--on",
      paramLabel = "HOST:PORT",
      arity = "1..*",
      split = ",",
      description = "The servers that are to keep it, all of them.")
  List<String> on = new ArrayList<>();

  @Option(
      names = "--copies",
      paramLabel = "N",
      description =
          "In place of --on: N of the servers of the cluster, or of those pinned here, chosen by the"
              + " capsule's name.")
  @Nullable Integer copies;

  @Option(
      names = "--status",
      description =
          "Change nothing; say what the servers hold, and whether those that are to leave may stop.")
  boolean status;

  @Option(
      names = "--wait",
      description = "Wait until the old servers may stop, however long that takes.")
  boolean wait;

  @Option(
      names = "--agree",
      paramLabel = "K",
      description =
          "How many members have to hold the same before an old server may stop. Default: more than"
              + " half of them.")
  int agree;

  @Option(
      names = "--key",
      paramLabel = "FILE",
      description = "The owner's key; not needed for --status.")
  @Nullable String key;

  PlaceCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  @Nullable String next(ErrorCode code) {
    return code == ErrorCode.UNREACHABLE
        ? "Every server of --on has to answer: start it there with 'holdfast up', or leave it out."
        : null;
  }

  @Override
  int run() throws Exception {
    if (status) {
      if (!on.isEmpty() || copies != null) {
        throw Failure.usage("--status changes nothing", "Leave out --on and --copies.");
      }
      try (Target target = open(capsule)) {
        return handover(target);
      }
    }
    if (on.isEmpty() == (copies == null)) {
      throw Failure.usage(
          "where the capsule is to be kept is said by --on or by --copies",
          "Give one of them: --on HOST:PORT,… or --copies N");
    }
    if (key == null) {
      throw Failure.usage("only its owner places a capsule", "Name the owner's key: --key FILE");
    }
    SigningKey owner = terminal.home().key(key);
    List<Server> servers = new ArrayList<>();
    try (Target target = openNamed(capsule);
        Source source = source(target)) {
      CapsuleReader reader = source.ask(one -> one);
      OwnerKey.require(reader, owner);
      for (Endpoint one : members(target)) {
        servers.add(Server.at(one, terminal.home().trust()));
      }
      Placing.Placed placed = Placing.place(reader, servers, owner);
      target.home().keep(placed.placement());
      report(target, placed);
      if (!placed.complete()) {
        throw Failure.failed(
            "not every member has acknowledged the placement", "Run the same command again.");
      }
      return wait ? handover(target) : 0;
    } finally {
      servers.forEach(Server::close);
    }
  }

  // ---- What the servers hold --------------------------------------------------------------------

  /** Asks until the change is over, or once. */
  private int handover(Target target) throws Exception {
    while (true) {
      List<Statement> statements;
      try (Source source = source(target)) {
        statements = source.ask(reader -> reader.statements(true));
      }
      Handover now = Handover.ask(statements, agree);
      if (now.over() || !wait) {
        report(target, now);
        return now.over() ? 0 : Failure.FAILED;
      }
      terminal.note(
          "holdfast: "
              + (now.settled() ? "the members agree; an old server" : "not enough members")
              + (now.settled() ? " has more, or does not answer" : " hold the same yet"));
      Thread.sleep(AGAIN_MILLIS);
    }
  }

  private void report(Target target, Handover now) {
    Holding agreed = now.agreed();
    int agreeing = agreed == null ? 0 : now.agreeing(agreed);
    List<String> lines = new ArrayList<>();
    List<Json> objects = new ArrayList<>();
    lines.add(
        "Capsule "
            + target.capsule().brief()
            + ", placement version "
            + now.placement().version()
            + ": "
            + agreeing
            + " of "
            + count(now.placement().members().size(), "member")
            + " hold the same, as "
            + now.needed()
            + " should");
    for (Handover.Asked one : now.asked()) {
      Holding held = one.holding();
      Exception failure = one.failure();
      String reason = failure == null ? null : Failures.account(failure).message();
      boolean agrees = held != null && agreed != null && held.agrees(agreed);
      lines.add(
          "  "
              + one.member().address()
              + " "
              + one.member().identity()
              + (held == null
                  ? ", no answer: " + reason
                  : ", " + count(held.count(), "entry", "entries") + ", " + held.digest().brief())
              + (one.stays()
                  ? (held != null && held.version() < now.placement().version()
                      ? ", does not know the placement yet"
                      : "")
                  : now.mayStop(one) ? ", may stop" : ", must NOT stop yet"));
      objects.add(
          Json.object()
              .put("server", one.member().address())
              .put("identity", one.member().identity())
              .put("member", one.stays())
              .put("version", held == null ? null : held.version())
              .put("entries", held == null ? null : held.count())
              .put("digest", held == null ? null : held.digest())
              .put("agrees", agrees)
              .put("mayStop", one.stays() ? null : now.mayStop(one))
              .put("reason", reason));
    }
    if (!now.historyKnown()) {
      lines.add(
          "  No member knows the placement before yet, so who else has records is not known.");
    }
    lines.add(now.over() ? "The change is over." : "The change is not over yet.");
    print(
        Json.object()
            .put("capsule", target.capsule())
            .put("version", now.placement().version())
            .put("agreeing", agreeing)
            .put("needed", now.needed())
            .put("historyKnown", now.historyKnown())
            .put("over", now.over())
            .put("servers", objects),
        String.join("\n", lines));
  }

  private List<Endpoint> members(Target target) {
    return copies == null
        ? on.stream().map(one -> Contexts.resolve(target.home(), one)).toList()
        : Choice.among(target.home()).choose(target.capsule(), copies);
  }

  private void report(Target target, Placing.Placed placed) {
    List<String> lines = new ArrayList<>();
    List<Json> objects = new ArrayList<>();
    lines.add(
        "Capsule " + target.capsule().brief() + " placed, version " + placed.placement().version());
    for (Placing.Told told : placed.told()) {
      Exception failure = told.failure();
      String reason = failure == null ? null : Failures.account(failure).message();
      lines.add(
          "  "
              + told.member().address()
              + " "
              + told.member().identity()
              + (told.stays() ? "" : ", no member any more")
              + (reason == null ? ", acknowledged" : ", NOT acknowledged: " + reason));
      objects.add(
          Json.object()
              .put("server", told.member().address())
              .put("identity", told.member().identity())
              .put("member", told.stays())
              .put("acknowledged", failure == null)
              .put("reason", reason));
    }
    print(
        Json.object()
            .put("capsule", target.capsule())
            .put("version", placed.placement().version())
            .put("statement", placed.placement().name())
            .put("complete", placed.complete())
            .put("servers", objects),
        String.join("\n", lines));
  }
}
