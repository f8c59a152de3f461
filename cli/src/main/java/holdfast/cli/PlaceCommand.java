package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.capsule.Holding;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement.Member;
import holdfast.client.CapsuleReader;
import holdfast.client.GivenUp;
import holdfast.client.Handover;
import holdfast.client.Placing;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
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
      "A server that is no member any more goes on bringing the new ones what it has, and writers and",
      "readers go by the old placement too, until the change is over and the owner says so. It is over",
      "when enough new ones sign that they hold what it holds: --status says so, --wait waits for it, and",
      "with --key signs the release, after which it may be stopped. Broken off, it is asked again; exit",
      "code 1 while it is not over. For servers that are gone for good there is --give-up: those named",
      "are not waited for, and what only they may have had is lost then; all others still are.",
      "",
      "Examples:",
      "  holdfast place 3f2a --on one.example:7420,two.example:7420,three.example:7420 --key me.pem",
      "  holdfast place 3f2a --copies 3 --key me.pem",
      "  holdfast place 3f2a --status",
      "  holdfast place 3f2a --wait --key me.pem",
      "  holdfast place 3f2a --give-up two.example:7420 --key me.pem",
      "",
      "JSON: capsule, version, statement, complete, servers (server, identity, member, acknowledged,",
      "reason); with --status or --wait: capsule, version, agreeing, needed, historyKnown, over,",
      "released, servers (server, identity, member, version, entries, digest, agrees, unsigned,",
      "mayStop, reason); with --give-up also givenUp (server, identity, unsigned, reason)"
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
      description =
          "Wait until the change is over, however long that takes; with --key, release the old"
              + " servers then.")
  boolean wait;

  @Option(
      names = "--give-up",
      paramLabel = "HOST:PORT|KEY",
      arity = "1..*",
      split = ",",
      description =
          "Servers that left and are gone for good: release them whatever only they may have. With"
              + " --on or --copies they need not answer either.")
  List<String> gone = new ArrayList<>();

  @Option(
      names = "--give-up-unsigned",
      description =
          "Release servers that left though they have records which their writers have not signed.")
  boolean unsignedGone;

  @Option(
      names = "--give-up-unknown",
      description = "Release placements of which no server knows any more what they were.")
  boolean unknownGone;

  @Option(
      names = "--agree",
      paramLabel = "K",
      description =
          "How many members have to hold the same before an old server may stop; no fewer than"
              + " --replicas of the writers. Default, and least for a release: more than half of"
              + " them.")
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
        ? "Every server of --on has to answer: start it there with 'holdfast up', or leave it out. Of"
            + " servers that left, name those that are gone for good: --give-up."
        : null;
  }

  @Override
  int run() throws Exception {
    boolean places = !on.isEmpty() || copies != null;
    boolean givesUp = !gone.isEmpty() || unsignedGone || unknownGone;
    if (status) {
      if (places || givesUp) {
        throw Failure.usage("--status changes nothing", "Leave out --on, --copies and --give-up.");
      }
      try (Target target = open(capsule)) {
        return handover(target, null, GivenUp.NOTHING, List.of());
      }
    }
    if (givesUp && key == null) {
      throw Failure.usage("only its owner gives something up", "Name the owner's key: --key FILE");
    }
    if (!places && (wait || givesUp)) {
      return release();
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
      GivenUp givenUp = givenUp(target);
      CapsuleReader reader = source.ask(one -> one);
      OwnerKey.require(reader, owner);
      for (Endpoint one : members(target)) {
        servers.add(Server.at(one, terminal.home().trust()));
      }
      Placing.Placed placed =
          Placing.place(reader, kept(target), givenUp::names, agree, servers, owner);
      target.home().keep(placed.placement());
      report(target, placed, List.of());
      if (!placed.complete()) {
        throw Failure.failed(
            "not every member has acknowledged the placement", "Run the same command again.");
      }
      return wait ? handover(target, owner, givenUp, List.of(placed.placement())) : 0;
    } finally {
      servers.forEach(Server::close);
    }
  }

  // ---- What the servers hold --------------------------------------------------------------------

  /** Ends a change that was begun before. */
  private int release() throws Exception {
    SigningKey owner = key == null ? null : terminal.home().key(key);
    try (Target target = open(capsule)) {
      GivenUp givenUp = givenUp(target);
      if (wait || owner == null) {
        return handover(target, owner, givenUp, List.of());
      }
      List<Handover.Asked> lost = handover(target, List.of()).lost(givenUp);
      report(target, release(target, owner, givenUp), lost);
    }
    return 0;
  }

  private GivenUp givenUp(Target target) {
    Set<String> named = new LinkedHashSet<>();
    for (String one : gone) {
      named.add(
          one.startsWith("ed25519:")
              ? VerifyKey.parse(one).toString()
              : Contexts.resolve(target.home(), one).toString());
    }
    return new GivenUp(named, unsignedGone, unknownGone);
  }

  /** Gives the placement that holds a version of its own. */
  private Statement.Placement untie(Target target, SigningKey owner, GivenUp givenUp)
      throws Exception {
    try (Source source = source(target)) {
      Placing.Placed placed =
          source.ask(reader -> {
            OwnerKey.require(reader, owner);
            return Placing.untie(reader, kept(target), givenUp::names, owner);
          });
      target.home().keep(placed.placement());
      return placed.placement();
    }
  }

  private Placing.Placed release(Target target, SigningKey owner, GivenUp givenUp)
      throws Exception {
    try (Source source = source(target)) {
      Placing.Placed told =
          source.ask(reader -> {
            OwnerKey.require(reader, owner);
            return Placing.release(reader, kept(target), agree, givenUp, owner);
          });
      target.home().keep(told.placement());
      if (told.told().stream().noneMatch(one -> one.receipt() != null)) {
        report(target, told, List.of());
        throw Failure.failed("no server has acknowledged the release", "Run the same again.");
      }
      return told;
    }
  }

  /**
   * Asks until the change is over, or once.
   *
   * @param owner releases the old servers then; null when nobody does
   * @param givenUp what the owner does without
   * @param waitedFor the placement that was signed just now, which a server may keep back; or
   *     nothing
   */
  private int handover(
      Target target,
      @Nullable SigningKey owner,
      GivenUp givenUp,
      List<Statement.Placement> waitedFor)
      throws Exception {
    List<Statement.Placement> signed = waitedFor;
    long released = 0;
    while (true) {
      Handover now = handover(target, signed);
      if (!signed.isEmpty() && !signed.contains(now.placement())) {
        throw Failure.failed(
            "another placement, version "
                + now.placement().version()
                + " on "
                + String.join(",", now.placement().members().stream().map(Member::address).toList())
                + ", came while version "
                + signed.getFirst().version()
                + " was waited for, and holds over it",
            "Look who else places this capsule; 'holdfast place "
                + target.capsule().brief()
                + " --status' says how far that is.");
      }
      now.requireLeft(givenUp);
      if (now.tied() && owner != null) {
        terminal.note(
            "holdfast: two placements have version "
                + now.placement().version()
                + "; the one that holds is signed once more");
        signed = List.of(untie(target, owner, givenUp));
        Thread.sleep(AGAIN_MILLIS);
        continue;
      }
      if (now.over(givenUp) && !now.released() && owner != null) {
        if (released == now.placement().version()) {
          throw Failure.failed(
              "the release of the servers that left was acknowledged, and no server shows it",
              "Look at the servers, and run the same again.");
        }
        now.lost(givenUp).forEach(one -> terminal.note("holdfast: " + givenUp(one)));
        release(target, owner, givenUp);
        released = now.placement().version();
        Thread.sleep(AGAIN_MILLIS);
        continue;
      }
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

  /** Asks once. */
  private Handover handover(Target target, List<Statement.Placement> signed) throws Exception {
    Set<Statement> statements = new HashSet<>(signed);
    statements.addAll(kept(target));
    try (Source source = source(target)) {
      statements.addAll(source.ask(reader -> reader.statements(true)));
    }
    return Handover.ask(statements, agree);
  }

  private static String givenUp(Handover.Asked one) {
    return "given up: "
        + one.member().address()
        + " "
        + one.member().identity()
        + (one.failure() != null
            ? ", which does not answer"
            : one.tail()
                ? ", which has records that their writer has not signed"
                : ", which may have more than the members");
  }

  private static Json lost(Handover.Asked one) {
    Exception failure = one.failure();
    return Json.object()
        .put("server", one.member().address())
        .put("identity", one.member().identity())
        .put("unsigned", one.tail())
        .put("reason", failure == null ? null : Failures.account(failure).message());
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
                  : now.mayStop(one)
                      ? ", may stop"
                      : ", must NOT stop yet"
                          + (one.tail() ? ": has records that their writer has to sign" : "")));
      objects.add(
          Json.object()
              .put("server", one.member().address())
              .put("identity", one.member().identity())
              .put("member", one.stays())
              .put("version", held == null ? null : held.version())
              .put("entries", held == null ? null : held.count())
              .put("digest", held == null ? null : held.digest())
              .put("agrees", agrees)
              .put("unsigned", held == null ? null : one.tail())
              .put("mayStop", one.stays() ? null : now.mayStop(one))
              .put("reason", reason));
    }
    if (!now.historyKnown()) {
      lines.add(
          "  No member knows the placement before yet, so who else has records is not known.");
    }
    if (now.tied()) {
      lines.add(
          "  Another placement has the same version, so none can be released. Sign this one once"
              + " more: holdfast place "
              + target.capsule().brief()
              + " --wait --key FILE");
    }
    lines.add(
        !now.over()
            ? "The change is not over yet."
            : now.released()
                ? "The change is over."
                : "The change is over. Say so before servers that left are stopped; writers and"
                    + " readers go by them until then: holdfast place "
                    + target.capsule().brief()
                    + " --wait --key FILE");
    print(
        Json.object()
            .put("capsule", target.capsule())
            .put("version", now.placement().version())
            .put("agreeing", agreeing)
            .put("needed", now.needed())
            .put("historyKnown", now.historyKnown())
            .put("over", now.over())
            .put("released", now.released())
            .put("servers", objects),
        String.join("\n", lines));
  }

  /** The placement that is remembered here, whatever servers show. */
  private static List<Statement.Placement> kept(Target target) {
    return target.home().placement(target.capsule()).stream().toList();
  }

  private List<Endpoint> members(Target target) {
    return copies == null
        ? on.stream().map(one -> Contexts.resolve(target.home(), one)).toList()
        : Choice.among(target.home()).choose(target.capsule(), copies);
  }

  private void report(Target target, Placing.Placed placed, List<Handover.Asked> lost) {
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
    lost.forEach(one -> lines.add("  " + givenUp(one)));
    print(
        Json.object()
            .put("capsule", target.capsule())
            .put("version", placed.placement().version())
            .put("statement", placed.placement().name())
            .put("complete", placed.complete())
            .put("servers", objects)
            .put("givenUp", lost.stream().map(PlaceCommand::lost).toList()),
        String.join("\n", lines));
  }
}
