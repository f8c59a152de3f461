package holdfast.cli;

import holdfast.base.Hash;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.edge.Restore;
import holdfast.net.Routes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code holdfast edge restore}: rebuilds a lost edge. */
@Command(
    name = "restore",
    description =
        "Rebuilds a lost edge in an empty folder, from its masters, with the operator's key.",
    footerHeading = "%n",
    footer = {
      "Everything is verified as it comes. When it was interrupted, the same command goes on. Without",
      "the lost edge's writer key, which is nowhere else, it goes on in a new capsule, and the old one is",
      "closed: should the lost edge come back, what it writes is refused. What it had taken and not yet",
      "backed up is gone; 'holdfast edge audit DEVICE' shows what is missing of each device.",
      "",
      "The masters that are named, all of them, keep the edge from then on. 'holdfast master list' shows",
      "the capsule's name.",
      "",
      "Example:",
      "  holdfast edge restore --from one.example:7420,two.example:7420 --capsule 3f2a… \\",
      "      --recovery-key operator.pem --data /srv/edge",
      "",
      "JSON: edge, capsule, capsules, succeeded, records, changes, keys, data"
    })
final class EdgeRestoreCommand extends BaseCommand {
  private static final long SECOND_MILLIS = 1000;

  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

  @Option(
      names = "--from",
      paramLabel = "HOST:PORT",
      required = true,
      arity = "1..*",
      split = ",",
      description = "The masters.")
  List<String> from = new ArrayList<>();

  @Option(
      names = "--capsule",
      paramLabel = "NAME",
      required = true,
      description =
          "One of the edge's capsules: its full name, or the beginning of it if it is known here.")
  String capsule = "";

  @Option(
      names = "--recovery-key",
      paramLabel = "FILE",
      required = true,
      description = "The operator's key.")
  String key = "";

  @Option(
      names = "--copies",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "How many masters have to hold a record before it counts as backed up. Default: a"
              + " majority.")
  int copies;

  @Option(
      names = "--patience",
      paramLabel = "SECONDS",
      defaultValue = "60",
      description = "How long nothing may come before it is given up. Default: 60.")
  int patience = 60;

  @Option(
      names = "--route",
      paramLabel = "KEY|HOST:PORT=HOST:PORT",
      arity = "1..*",
      split = ",",
      description = "Connect there to reach another server; for NAT, tunnels and tests.")
  List<String> route = new ArrayList<>();

  EdgeRestoreCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    Hash name = CapsuleNames.full(terminal.home(), capsule);
    SigningKey operator = terminal.home().key(key);
    List<Server> masters = new ArrayList<>();
    try (Progress progress = new Progress(terminal, "records restored")) {
      for (String one : from) {
        masters.add(Server.at(Contexts.resolve(terminal.home(), one), terminal.home().trust()));
      }
      Restore.Restored restored =
          Restore.restore(
              where.folder(terminal),
              masters,
              name,
              operator,
              new Restore.Options(patience * SECOND_MILLIS, copies, Routes.parse(route)),
              (one, here, total) -> progress.of(here, total));
      print(
          Json.object()
              .put("edge", restored.edge())
              .put("capsule", restored.capsules().getLast())
              .put("capsules", restored.capsules())
              .put("succeeded", restored.succeeded())
              .put("records", restored.records())
              .put("changes", restored.changes())
              .put("keys", restored.keys())
              .put("data", where.folder(terminal).path()),
          String.format(
              Locale.ROOT,
              "Edge %s restored: %s, %s, %s%nIt goes on in capsule %s%s",
              restored.edge(),
              count(restored.records(), "record"),
              count(restored.changes(), "change"),
              count(restored.keys(), "key"),
              restored.capsules().getLast(),
              restored.succeeded() ? ", made now" : ""));
      return 0;
    } finally {
      masters.forEach(Server::close);
    }
  }
}
