package holdfast.cli;

import holdfast.client.Home;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Says which identity a server must have. */
@Command(
    name = "pin",
    description = "Says which identity a server must have; without arguments lists what is pinned.",
    footerHeading = "%n",
    footer = {
      "A server on this machine is pinned when it is first used. One elsewhere must be pinned by hand,",
      "with the key its operator tells you ('holdfast up' prints it).",
      "",
      "Example:",
      "  holdfast pin archive.example:7420 ed25519:…",
      "",
      "JSON, a line each: server, identity"
    })
final class PinCommand extends BaseCommand {
  @Parameters(index = "0", arity = "0..1", paramLabel = "HOST:PORT", description = "The server.")
  @Nullable String server;

  @Parameters(index = "1", arity = "0..1", paramLabel = "KEY", description = "Its identity.")
  @Nullable String key;

  PinCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() {
    Home home = terminal.home();
    if (server == null) {
      home.allPinned().forEach(this::show);
      return 0;
    }
    Endpoint endpoint = Endpoint.parse(server);
    if (key != null) {
      home.pin(endpoint, VerifyKey.parse(key));
    }
    VerifyKey identity =
        home.pinned(endpoint)
            .orElseThrow(() ->
                Failure.failed(
                    "no identity is pinned for " + endpoint,
                    "Pin it: holdfast pin " + endpoint + " KEY"));
    show(endpoint.toString(), identity);
    return 0;
  }

  private void show(String address, VerifyKey identity) {
    print(Json.object().put("server", address).put("identity", identity), address + " " + identity);
  }
}
