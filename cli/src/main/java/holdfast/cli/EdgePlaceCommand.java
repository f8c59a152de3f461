package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.client.Placing;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.edge.EdgeFolder;
import holdfast.edge.Masters;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code holdfast edge place}: says which masters keep an edge. */
@Command(
    name = "place",
    description =
        "Places an edge on masters: from then on they are sent all it has, as it is written.",
    footerHeading = "%n",
    footer = {
      "The edge has to run. The operator's key signs which servers keep its capsule; the edge's own",
      "server is one of them. A master that is not on this machine has to be pinned first, and to allow",
      "the operator: holdfast up --allow-owner KEY. Naming other masters later replaces these.",
      "",
      "Example:",
      "  holdfast edge place --on one.example:7420,two.example:7420 --copies 1 --key edge-operator",
      "",
      "JSON: edge, capsule, masters, copies, complete"
    })
final class EdgePlaceCommand extends BaseCommand {
  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

  @Option(
      names = "--on",
      paramLabel = "HOST:PORT",
      required = true,
      arity = "1..*",
      split = ",",
      description = "The masters, all of them.")
  List<String> on = new ArrayList<>();

  @Option(
      names = "--copies",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "How many masters have to hold a record before it counts as backed up. Default: a"
              + " majority.")
  int copies;

  @Option(
      names = "--key",
      paramLabel = "FILE",
      defaultValue = "edge-operator",
      description = "The operator's key. Default: edge-operator.")
  String key = "edge-operator";

  EdgePlaceCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  @Nullable String next(ErrorCode code) {
    return code == ErrorCode.UNREACHABLE
        ? "Every server of --on has to answer: start it there with 'holdfast up', or leave it out."
        : EdgeCommand.hint(code);
  }

  @Override
  int run() throws Exception {
    if (copies < 0 || copies > on.size()) {
      throw Failure.usage(
          "there are " + on.size() + " masters to hold " + copies + " copies",
          "Give --copies a number from 1 to " + on.size() + ".");
    }
    EdgeFolder folder = where.folder(terminal);
    EdgeFolder.Admin running = folder.running();
    SigningKey operator = terminal.home().key(key);
    List<Server> masters = new ArrayList<>();
    try (Server own = Server.at(running.node(), running.identity())) {
      for (String one : on) {
        masters.add(Server.at(Contexts.resolve(terminal.home(), one), terminal.home().trust()));
      }
      List<Placing.Placed> placed =
          Masters.place(own, masters, Masters.capsules(own, folder.capsule()), operator);
      folder.keepCopies(copies);
      boolean complete = placed.stream().allMatch(Placing.Placed::complete);
      print(
          Json.object()
              .put("edge", folder.name())
              .put("capsule", folder.capsule())
              .put("masters", on)
              .put("copies", copies == 0 ? on.size() / 2 + 1 : copies)
              .put("complete", complete),
          (placed.isEmpty() ? "Placed so already: " : "Placed: ")
              + folder.name()
              + " on "
              + String.join(", ", on));
      if (!complete) {
        throw Failure.failed(
            "not every master has acknowledged the placement", "Run the same command again.");
      }
      return 0;
    } finally {
      masters.forEach(Server::close);
    }
  }
}
