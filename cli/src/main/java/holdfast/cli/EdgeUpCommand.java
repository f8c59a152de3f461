package holdfast.cli;

import holdfast.crypto.VerifyKey;
import holdfast.edge.EdgeFolder;
import holdfast.edge.EdgeOptions;
import holdfast.edge.Gateway;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.NodeOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code holdfast edge up}: runs an edge. */
@Command(
    name = "up",
    description =
        "Runs an edge until it is stopped (Ctrl-C, SIGTERM); sets it up at the first start.",
    footerHeading = "%n",
    footer = {
      "Examples:",
      "  holdfast edge up",
      "  holdfast edge up --host 0.0.0.0 --certificate-host edge.local --name kitchen",
      "  holdfast edge up --no-mqtt",
      "",
      "JSON: event, edge, rest, mqtt, fingerprint, authority, capsule, identity, endpoint, httpPort, data"
    })
final class EdgeUpCommand extends BaseCommand {
  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();
  @Mixin EdgeInitCommand.Naming naming = new EdgeInitCommand.Naming();

  @Option(
      names = "--host",
      paramLabel = "H",
      defaultValue = "127.0.0.1",
      description =
          "The address on which REST and MQTT listen. Default: 127.0.0.1, this machine only.")
  String host = "127.0.0.1";

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "7443",
      description = "The port of REST; 0 for any that is free. Default: 7443.")
  int port = EdgeOptions.DEFAULT_REST_PORT;

  @Option(
      names = "--mqtt-port",
      paramLabel = "N",
      defaultValue = "8883",
      description = "The port of MQTT; 0 for any that is free. Default: 8883.")
  int mqttPort = EdgeOptions.DEFAULT_MQTT_PORT;

  @Option(names = "--no-mqtt", description = "Serves no MQTT.")
  boolean noMqtt;

  @Option(
      names = "--node-host",
      paramLabel = "H",
      defaultValue = "127.0.0.1",
      description =
          "The address of the edge's own capsule server; masters may need to reach it."
              + " Default: 127.0.0.1.")
  String nodeHost = "127.0.0.1";

  @Option(
      names = "--node-port",
      paramLabel = "N",
      defaultValue = "0",
      description = "The port of the edge's own capsule server. Default: any that is free.")
  int nodePort;

  @Option(
      names = "--http-port",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "The port for /livez, /readyz and /metrics, on this machine only. Default: any that is"
              + " free.")
  int httpPort;

  @Option(
      names = "--certificate-host",
      paramLabel = "NAME",
      arity = "1..*",
      split = ",",
      description = "Names and addresses for the certificate beside localhost, 127.0.0.1 and ::1.")
  List<String> certificateHost = new ArrayList<>();

  @Option(
      names = "--certificate",
      paramLabel = "FILE",
      description = "A certificate with those below it, PEM, in place of the edge's own.")
  @Nullable Path certificate;

  @Option(names = "--certificate-key", paramLabel = "FILE", description = "Its private key, PEM.")
  @Nullable Path certificateKey;

  @Option(
      names = "--client-authority",
      paramLabel = "FILE",
      description = "With --certificate: whose certificates clients may log in with, PEM.")
  @Nullable Path clientAuthority;

  @Option(
      names = "--client-revoked",
      paramLabel = "FILE",
      description = "With --client-authority: what it has revoked, PEM.")
  @Nullable Path clientRevoked;

  @Option(
      names = "--bcrypt-cost",
      paramLabel = "N",
      defaultValue = "10",
      description = "The cost of passwords; weaker hashes are made anew at login. Default: 10.")
  int bcryptCost = EdgeOptions.DEFAULT_BCRYPT_COST;

  @Option(
      names = "--allow-owner",
      paramLabel = "KEY",
      arity = "1..*",
      split = ",",
      description = "Who else may create capsules on the edge's server.")
  List<String> allowOwner = new ArrayList<>();

  @Option(
      names = "--route",
      paramLabel = "KEY|HOST:PORT=HOST:PORT",
      arity = "1..*",
      split = ",",
      description = "Connect there to reach another server; for NAT, tunnels and tests.")
  List<String> route = new ArrayList<>();

  @Option(
      names = "--heartbeat",
      paramLabel = "MILLIS",
      defaultValue = "5000",
      description =
          "How often other servers that keep the same capsules are told that this one is there; one"
              + " silent for three times as long is reported. Default: 5000.")
  long heartbeat = NodeOptions.DEFAULT_HEARTBEAT_MILLIS;

  EdgeUpCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    EdgeFolder folder = where.folder(terminal);
    EdgeOptions options = options(folder);
    if (!folder.initialised()) {
      naming.init(this, folder);
    }
    Gateway gateway = Gateway.start(options);
    try (ServerProcess process = new ServerProcess(terminal, "edge", new Serving(gateway))) {
      announce(gateway, folder);
      EdgeOptions again = gateway.samePlace();
      return process.serve(() -> new Serving(Gateway.start(again)));
    }
  }

  private record Serving(Gateway gateway) implements ServerProcess.Served {
    @Override
    public String awaitFailure() throws InterruptedException {
      return gateway.node().awaitFailure();
    }

    @Override
    public boolean restartHelps() throws InterruptedException {
      return gateway.node().restartHelps();
    }

    @Override
    public void close() {
      gateway.close();
    }
  }

  private EdgeOptions options(EdgeFolder folder) {
    EdgeOptions plain =
        EdgeOptions.of(folder.path(), new Endpoint(host, port), new Endpoint(nodeHost, nodePort));
    List<String> hosts = new ArrayList<>(plain.hosts());
    hosts.addAll(certificateHost);
    return new EdgeOptions(
        plain.data(),
        plain.rest(),
        noMqtt ? null : new Endpoint(host, mqttPort),
        plain.node(),
        new Endpoint("127.0.0.1", httpPort),
        hosts,
        given(),
        bcryptCost,
        plain.queueTasks(),
        plain.queueBytes(),
        plain.connections(),
        plain.watches(),
        allowOwner.stream().map(VerifyKey::parse).collect(Collectors.toUnmodifiableSet()),
        Routes.parse(route),
        heartbeat);
  }

  private EdgeOptions.@Nullable Certificate given() {
    Path chain = certificate;
    Path key = certificateKey;
    if (chain == null && key == null && clientAuthority == null && clientRevoked == null) {
      return null;
    }
    if (chain == null || key == null) {
      throw Failure.usage(
          "--certificate and --certificate-key belong together",
          "Give both, or none to use the edge's own authority.");
    }
    return new EdgeOptions.Certificate(chain, key, clientAuthority, clientRevoked);
  }

  private void announce(Gateway gateway, EdgeFolder folder) {
    Endpoint mqtt = gateway.mqtt();
    print(
        Json.object()
            .put("event", "up")
            .put("edge", folder.name())
            .put("rest", "https://" + gateway.rest())
            .put("mqtt", mqtt == null ? null : "mqtts://" + mqtt)
            .put("fingerprint", gateway.fingerprint())
            .put("authority", gateway.authority())
            .put("capsule", folder.capsule())
            .put("identity", gateway.node().identity())
            .put("endpoint", gateway.node().endpoint())
            .put("httpPort", gateway.node().httpPort())
            .put("data", folder.path()),
        "Edge "
            + folder.name()
            + " serves https://"
            + gateway.rest()
            + (mqtt == null ? "" : " and mqtts://" + mqtt)
            + ", data in "
            + folder.path()
            + "\nCertificate SHA-256 "
            + gateway.fingerprint()
            + "\nClients trust "
            + gateway.authority()
            + " (curl --cacert)"
            + "\nCapsule "
            + folder.capsule()
            + " on "
            + gateway.node().endpoint()
            + ", identity "
            + gateway.node().identity());
  }
}
