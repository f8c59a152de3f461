package holdfast.cli;

import holdfast.client.Home;
import holdfast.client.PrivateFiles;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** What the commands share that change a cluster: one at a time, and how nodes start and stop. */
abstract class ClusterVerb extends BaseCommand {
  private static final Duration START_PATIENCE = Duration.ofSeconds(90);
  private static final Duration STOP_PATIENCE = Duration.ofSeconds(30);
  private static final long POLL_NANOS = 20_000_000;
  private static final int HTTP_TIMEOUT_MILLIS = 2000;

  /** The part of the machine's memory that the heaps of all nodes may take together, in percent. */
  private static final double HEAP_PERCENT = 50;

  private static final double NODE_HEAP_PERCENT = 25;

  ClusterVerb(Terminal terminal) {
    super(terminal);
  }

  /** Does the work while no other command changes the cluster. */
  abstract int change(Home home) throws Exception;

  @Override
  final int run() throws Exception {
    Home home = terminal.home();
    PrivateFiles.createFolders(home.folder());
    try (FileChannel file =
            FileChannel.open(
                home.folder().resolve("cluster.lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock lock = tryLock(file)) {
      if (lock == null) {
        throw Failure.failed(
            "another command is changing the cluster", "Try again when it has ended.");
      }
      return change(home);
    }
  }

  private static @Nullable FileLock tryLock(FileChannel file) throws IOException {
    try {
      return file.tryLock();
    } catch (OverlappingFileLockException e) {
      return null;
    }
  }

  /** How a node is. */
  enum State {
    UP("up"),
    NOT_READY("not ready"),
    DOWN("down");

    private final String text;

    State(String text) {
      this.text = text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  /** Looks at a node's process, and asks it whether it takes writes. */
  static State state(Cluster.Node node) {
    if (node.daemon().running().isEmpty()) {
      return State.DOWN;
    }
    return ready(node) ? State.UP : State.NOT_READY;
  }

  private static boolean ready(Cluster.Node node) {
    try {
      URI at = URI.create("http://127.0.0.1:" + node.httpPort() + "/readyz");
      HttpURLConnection asked = (HttpURLConnection) at.toURL().openConnection(Proxy.NO_PROXY);
      asked.setConnectTimeout(HTTP_TIMEOUT_MILLIS);
      asked.setReadTimeout(HTTP_TIMEOUT_MILLIS);
      return asked.getResponseCode() == HttpURLConnection.HTTP_OK;
    } catch (IOException e) {
      return false;
    }
  }

  static ClusterLinks.Control control(Cluster cluster) {
    return new ClusterLinks.Control(cluster.control(), cluster.token());
  }

  private static boolean linksAnswer(Cluster cluster) {
    try {
      control(cluster).stalled();
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** Starts the process that has the links, if it does not run, and waits until it answers. */
  final void startLinks(Cluster cluster) throws IOException {
    Daemon daemon = cluster.linksDaemon();
    if (daemon.running().isEmpty()) {
      daemon.start(terminal, List.of("-XX:+UseSerialGC", "-Xmx256m"), List.of("cluster", "links"));
    }
    await("the process that has the links", daemon, () -> linksAnswer(cluster));
  }

  /**
   * Starts nodes that do not run, waits until they serve, pins them and writes their identities
   * down.
   */
  final Cluster startNodes(Home home, Cluster cluster, List<Cluster.Node> wanted) throws Exception {
    for (Cluster.Node node : wanted) {
      if (node.daemon().running().isEmpty()) {
        node.daemon().start(terminal, jvm(cluster), arguments(cluster, node));
      }
    }
    List<Cluster.Node> nodes = new ArrayList<>(cluster.nodes());
    try (Progress progress = new Progress(terminal, "of " + wanted.size() + " nodes are up")) {
      int up = 0;
      progress.at(up);
      for (Cluster.Node node : wanted) {
        await(node.toString(), node.daemon(), () -> ready(node));
        progress.at(++up);
        Path key = node.data().resolve("identity.pem");
        VerifyKey identity = SigningKey.parsePem(Files.readString(key)).verifyKey();
        // The port is this cluster's, whatever was there when the pin was made.
        home.pin(node.endpoint(), identity);
        nodes.set(node.number() - 1, node.withIdentity(identity));
      }
    }
    Cluster now = cluster.withNodes(nodes);
    now.keep(home);
    return now;
  }

  private static List<String> jvm(Cluster cluster) {
    double percent = Math.min(NODE_HEAP_PERCENT, HEAP_PERCENT / cluster.nodes().size());
    return List.of("-XX:+UseParallelGC", "-XX:MaxRAMPercentage=" + percent);
  }

  private static List<String> arguments(Cluster cluster, Cluster.Node node) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "up",
                "--data",
                node.data().toString(),
                "--host",
                node.endpoint().host(),
                "--port",
                String.valueOf(node.endpoint().port()),
                "--http-port",
                String.valueOf(node.httpPort())));
    for (Cluster.Link link : cluster.linksFrom(node)) {
      arguments.add("--route");
      arguments.add(cluster.node(link.to()).endpoint() + "=" + link.listen());
    }
    return arguments;
  }

  /** Something that becomes true. */
  interface Condition {
    boolean holds();
  }

  private static void await(String what, Daemon daemon, Condition ready) {
    long deadline = System.nanoTime() + START_PATIENCE.toNanos();
    while (!ready.holds()) {
      if (daemon.running().isEmpty()) {
        throw Failure.failed(
            what + " did not start: " + daemon.lastWords(), "Its log is " + daemon.log());
      }
      if (System.nanoTime() - deadline > 0) {
        throw Failure.failed(
            what + " is not ready after " + START_PATIENCE.toSeconds() + " s",
            "Its log is " + daemon.log());
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Stops processes in order, those that take too long without it. */
  final void stop(List<Daemon> daemons) {
    daemons.forEach(Daemon::terminate);
    for (Daemon daemon : daemons) {
      if (!daemon.awaitEnd(STOP_PATIENCE)) {
        terminal.note("a process does not stop by itself and is killed; its log: " + daemon.log());
        daemon.kill();
      }
    }
  }
}
