package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.client.PrivateFiles;
import holdfast.crypto.SigningKey;
import holdfast.edge.EdgeFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code holdfast edge init}: sets an edge up. */
@Command(
    name = "init",
    description = "Sets an edge up: its keys, its capsule, and who owns it.",
    footerHeading = "%n",
    footer = {
      "The operator's key owns the edge's capsule and can read it: it is what restores a lost edge.",
      "The edge does not need it any more afterwards. Keep it elsewhere.",
      "",
      "Example:",
      "  holdfast edge init --name kitchen --operator operator.pem",
      "",
      "JSON: edge, capsule, operator, operatorFile, data"
    })
final class EdgeInitCommand extends BaseCommand {
  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();
  @Mixin Naming naming = new Naming();

  /** What an edge that is set up is called, and who owns it. */
  static final class Naming {
    @Option(
        names = "--name",
        paramLabel = "NAME",
        defaultValue = "edge",
        description = "What the edge is called. Default: edge.")
    String name = "edge";

    @Option(
        names = "--operator",
        paramLabel = "FILE",
        defaultValue = "edge-operator",
        description =
            "The operator's key, a file or the name of a key kept at home; made if it is not there."
                + " Default: edge-operator.")
    String operator = "edge-operator";

    /** The file of the operator's key, made if it is not there. */
    private Path file(Terminal terminal) throws IOException {
      Path named = Path.of(operator);
      if (Files.exists(named)) {
        return named;
      }
      boolean plain = named.getNameCount() == 1 && !operator.endsWith(".pem");
      Path file = plain ? terminal.home().keys().resolve(operator + ".pem") : named;
      if (!Files.exists(file)) {
        PrivateFiles.create(file, SigningKey.generate(new SecureRandom()).toPem());
      }
      return file;
    }

    /** Sets the edge up and says so. */
    void init(BaseCommand command, EdgeFolder folder) throws IOException, ProofException {
      Path file = file(command.terminal);
      SigningKey key = command.terminal.home().key(file.toString());
      Hash capsule = folder.init(name, key);
      command.print(
          Json.object()
              .put("edge", name)
              .put("capsule", capsule)
              .put("operator", key.verifyKey())
              .put("operatorFile", file.toAbsolutePath())
              .put("data", folder.path()),
          "Edge "
              + name
              + ", capsule "
              + capsule
              + "\nOperator "
              + key.verifyKey()
              + "\nThe operator's key restores the edge, and is not needed on it. Keep a copy elsewhere: "
              + file);
    }
  }

  EdgeInitCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    naming.init(this, where.folder(terminal));
    return 0;
  }
}
