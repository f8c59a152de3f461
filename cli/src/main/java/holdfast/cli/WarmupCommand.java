package holdfast.cli;

import holdfast.net.Endpoint;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import picocli.CommandLine.Command;

/** Uses what commands use, so that the launcher can record which classes to have ready. */
@Command(name = "warmup", hidden = true, description = "Exercises the common paths once.")
final class WarmupCommand extends BaseCommand {
  WarmupCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Throwaway place = Throwaway.make()) {
      Endpoint endpoint = place.start();
      Map<String, String> environment =
          Map.of(
              "HOLDFAST_HOME",
              place.home().folder().toString(),
              "HOLDFAST_SERVER",
              endpoint.toString());
      String key = place.folder().resolve("key.pem").toString();
      String file = place.folder().resolve("file").toString();
      holdfast(environment, "", "key", "new", key);
      String capsule = holdfast(environment, "", "create", "--key", key);
      String record =
          holdfast(environment, "one\ntwo\n", "append", capsule, "--lines", "--key", key);
      holdfast(environment, "", "read", capsule, record + "/1");
      holdfast(environment, "", "log", capsule);
      holdfast(environment, "", "heads", capsule, "--json");
      holdfast(environment, "", "prove", capsule, record + "/0", "--disclose", "-o", file);
      holdfast(environment, "", "verify", file, "--capsule", capsule);
      holdfast(environment, "", "export", capsule, "-o", file);
      holdfast(environment, "", "import", file);
      holdfast(environment, "", "status", capsule);
      holdfast(environment, "", "append", "--help");
      holdfast(environment, "", "--version");
      return 0;
    }
  }

  private static String holdfast(Map<String, String> environment, String input, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal inner =
        new Terminal(
            out,
            err,
            new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
            environment,
            false,
            false);
    if (Main.run(inner, args) != 0) {
      throw Failure.failed(
          "'holdfast "
              + String.join(" ", args)
              + "' failed: "
              + err.toString(StandardCharsets.UTF_8),
          "Run it by itself.");
    }
    return out.toString(StandardCharsets.UTF_8).strip();
  }
}
