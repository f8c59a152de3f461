package holdfast.cli;

import holdfast.client.CapsuleReader;
import holdfast.client.Placing;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
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
      "Examples:",
      "  holdfast place 3f2a --on one.example:7420,two.example:7420,three.example:7420 --key me.pem",
      "  holdfast place 3f2a --copies 3 --key me.pem",
      "",
      "JSON: capsule, version, statement, complete, servers (server, identity, member, acknowledged,",
      "reason)"
    })
final class PlaceCommand extends ServerCommand {
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

  @Mixin OwnerKey key = new OwnerKey();

  PlaceCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    if (on.isEmpty() == (copies == null)) {
      throw Failure.usage(
          "where the capsule is to be kept is said by --on or by --copies",
          "Give one of them: --on HOST:PORT,… or --copies N");
    }
    SigningKey owner = key.read(terminal);
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
    } finally {
      servers.forEach(Server::close);
    }
    return 0;
  }

  private List<Endpoint> members(Target target) {
    return copies == null
        ? on.stream().map(Endpoint::parse).toList()
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
