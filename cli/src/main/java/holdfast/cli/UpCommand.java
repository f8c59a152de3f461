package holdfast.cli;

import holdfast.client.Home;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.store.StoreOptions;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Runs a server. */
@Command(
    name = "up",
    description = "Runs a server until it is stopped (Ctrl-C, SIGTERM).",
    footerHeading = "%n",
    footer = {
      "Examples:",
      "  holdfast up",
      "  holdfast up --data /srv/holdfast --host 0.0.0.0 --allow-owner ed25519:…",
      "",
      "JSON: event, identity, endpoint, httpPort, data"
    })
final class UpCommand extends BaseCommand {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Where the data is kept. Default: HOLDFAST_HOME/data.")
  @Nullable Path data;

  @Option(
      names = "--host",
      paramLabel = "H",
      defaultValue = "127.0.0.1",
      description = "The address to listen on. Default: 127.0.0.1, this machine only.")
  String host = "127.0.0.1";

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "7420",
      description = "The data port; 0 for any that is free. Default: 7420.")
  int port;

  @Option(
      names = "--http-port",
      paramLabel = "N",
      defaultValue = "7421",
      description =
          "The port for /livez, /readyz and /metrics, on this machine only. Default: 7421.")
  int httpPort;

  @Option(
      names = "--allow-owner",
      paramLabel = "KEY",
      arity = "1..*",
      split = ",",
      description = "Who may create capsules here; needed when others can reach the server.")
  List<String> allowOwner = new ArrayList<>();

  @Option(
      names = "--owner-bytes",
      paramLabel = "N",
      description =
          "How many bytes of records one owner may have here, counted as their headers and sealed"
              + " bodies. Default: no limit.")
  @Nullable Long ownerBytes;

  @Option(
      names = "--reserve-bytes",
      paramLabel = "N",
      description = "Free disk space below which writes are refused. Default: 64 MiB.")
  @Nullable Long reserveBytes;

  @Option(
      names = "--route",
      paramLabel = "KEY|HOST:PORT=HOST:PORT",
      arity = "1..*",
      split = ",",
      description =
          "Connect there to reach the server with this key, or that is stated to be at this"
              + " address; for NAT, tunnels and tests.")
  List<String> route = new ArrayList<>();

  @Option(
      names = "--scrub-rate",
      paramLabel = "N",
      defaultValue = "4194304",
      description =
          "How many bytes a second are read again to find rot; 0 for none. Default: 4 MiB.")
  long scrubRate = NodeOptions.DEFAULT_SCRUB_RATE;

  @Option(
      names = "--until-input-ends",
      hidden = true,
      description = "Stop when standard input ends, as it does when who started this is gone.")
  boolean untilInputEnds;

  @Option(
      names = "--heartbeat",
      paramLabel = "MILLIS",
      defaultValue = "5000",
      description =
          "How often other servers that keep the same capsules are told that this one is there; one"
              + " silent for three times as long is reported. Default: 5000.")
  long heartbeat = NodeOptions.DEFAULT_HEARTBEAT_MILLIS;

  UpCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    Home home = terminal.home();
    Path folder = data == null ? home.data() : data;
    Set<VerifyKey> owners =
        allowOwner.stream().map(VerifyKey::parse).collect(Collectors.toUnmodifiableSet());
    StoreOptions store = StoreOptions.defaults();
    if (reserveBytes != null) {
      store = store.withReserveBytes(reserveBytes);
    }
    if (ownerBytes != null) {
      store = store.withOwnerBytes(ownerBytes);
    }
    NodeOptions options =
        NodeOptions.of(
                folder, new Endpoint(host, port), new Endpoint("127.0.0.1", httpPort), owners)
            .withStore(store)
            .withScrubRate(scrubRate)
            .withHeartbeat(heartbeat)
            .withRoutes(Routes.parse(route));
    Node node = Node.start(options);
    try (ServerProcess process = new ServerProcess(terminal, "server", new Serving(node))) {
      pin(home, new Endpoint("127.0.0.1", node.endpoint().port()), node.identity());
      announce(node, folder);
      if (untilInputEnds) {
        Thread.ofPlatform().daemon().name("holdfast-input").start(() -> awaitInputEnd(terminal.in));
      }
      NodeOptions again = options.at(node.endpoint(), new Endpoint("127.0.0.1", node.httpPort()));
      return process.serve(() -> new Serving(Node.start(again)));
    }
  }

  private record Serving(Node node) implements ServerProcess.Served {
    @Override
    public String awaitFailure() throws InterruptedException {
      return node.awaitFailure();
    }

    @Override
    public boolean restartHelps() throws InterruptedException {
      return node.restartHelps();
    }

    @Override
    public void close() {
      node.close();
    }
  }

  /**
   * Lets commands of this user find the server. A pin that is there was put there by somebody, and
   * may be of another server on this port, reached through a tunnel: it is not replaced.
   */
  private void pin(Home home, Endpoint local, VerifyKey identity) {
    VerifyKey before = home.pinned(local).orElse(null);
    if (before == null) {
      home.pin(local, identity);
    } else if (!before.equals(identity)) {
      terminal.note("holdfast: " + local + " is pinned as another server, " + before);
      terminal.note(
          "  Commands here refuse this one, unless you run: holdfast pin "
              + local
              + " "
              + identity);
    }
  }

  private static void awaitInputEnd(InputStream in) {
    try {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      // Whoever writes there is gone, then.
      System.exit(0);
    }
    System.exit(0);
  }

  private void announce(Node node, Path folder) {
    print(
        Json.object()
            .put("event", "up")
            .put("identity", node.identity())
            .put("endpoint", node.endpoint())
            .put("httpPort", node.httpPort())
            .put("data", folder.toAbsolutePath()),
        "Serving on "
            + node.endpoint()
            + ", HTTP on 127.0.0.1:"
            + node.httpPort()
            + ", data in "
            + folder
            + "\nIdentity "
            + node.identity()
            + "\nElsewhere, pin it first: holdfast pin HOST:"
            + node.endpoint().port()
            + " "
            + node.identity());
  }
}
