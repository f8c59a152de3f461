package holdfast.cli;

import holdfast.client.Home;
import holdfast.client.PrivateFiles;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A cluster on this machine: servers, and a link from each to each other one that can be stalled.
 *
 * <pre>
 *   HOLDFAST_HOME/cluster.toml   this, as text
 *   FOLDER/node-N/data           the data folder of a node
 *   FOLDER/node-N/log, pid       what it says, and which process it is
 *   FOLDER/links/log, pid        the same of the one process that has all the links
 * </pre>
 *
 * <p>With a base port P node N listens on P+10N, serves HTTP on P+10N+1, and reaches the others
 * over the ports that follow; links are controlled on P.
 *
 * @param folder where everything of it is kept
 * @param control where the links are controlled
 * @param token what who controls them has to know
 * @param nodes the servers, in the order of their numbers from 1
 * @param links from each node to each other
 */
record Cluster(Path folder, Endpoint control, String token, List<Node> nodes, List<Link> links) {
  static final int MAX_NODES = 9;
  private static final int PORTS_PER_NODE = 10;

  /** Where ports are looked for when any will do. */
  private static final int ANY_FROM = 20_000;

  private static final int ANY_TO = 32_000;
  private static final int ATTEMPTS = 100;
  private static final int TOKEN_BYTES = 16;
  private static final String HOST = "127.0.0.1";

  /**
   * A server.
   *
   * @param folder where its data, its log and the number of its process are
   * @param identity its key; null before its first start
   */
  record Node(
      int number, Endpoint endpoint, int httpPort, Path folder, @Nullable VerifyKey identity) {
    Daemon daemon() {
      return new Daemon(folder);
    }

    Path data() {
      return folder.resolve("data");
    }

    Node withIdentity(VerifyKey key) {
      return new Node(number, endpoint, httpPort, folder, key);
    }

    @Override
    public String toString() {
      return "node " + number;
    }
  }

  /** The way from one node to another: what goes to {@code listen} comes to the node {@code to}. */
  record Link(int from, int to, Endpoint listen) {}

  /** Copies the lists. */
  Cluster {
    nodes = List.copyOf(nodes);
    links = List.copyOf(links);
  }

  /** The process that has the links. */
  Daemon linksDaemon() {
    return new Daemon(folder.resolve("links"));
  }

  /** The node with a number. */
  Node node(int number) {
    if (number < 1 || number > nodes.size()) {
      throw Failure.usage(
          "there is no node " + number, "The cluster has nodes 1 to " + nodes.size() + ".");
    }
    return nodes.get(number - 1);
  }

  /** The same with other nodes. */
  Cluster withNodes(List<Node> now) {
    return new Cluster(folder, control, token, now, links);
  }

  /** The links that a node reaches the others over. */
  List<Link> linksFrom(Node node) {
    return links.stream().filter(link -> link.from() == node.number()).toList();
  }

  // ---- A new one --------------------------------------------------------------------------------

  /**
   * Decides where everything of a new cluster is.
   *
   * @param basePort the first port; 0 for any that are free
   */
  static Cluster plan(Path folder, int size, int basePort) throws IOException {
    if (size < 1 || size > MAX_NODES) {
      throw Failure.usage(
          "a cluster has 1 to " + MAX_NODES + " nodes, not " + size, "Choose another number.");
    }
    Path whole = folder.toAbsolutePath().normalize();
    if (whole.toString().matches(".*[\"\\\\\\p{Cntrl}].*")) {
      throw Failure.usage(
          "a folder with such a name cannot be written down: " + folder, "Choose another folder.");
    }
    List<Integer> ports = ports(size, basePort);
    int next = 0;
    Endpoint control = new Endpoint(HOST, ports.get(next++));
    List<Node> nodes = new ArrayList<>();
    List<Link> links = new ArrayList<>();
    for (int from = 1; from <= size; from++) {
      Endpoint endpoint = new Endpoint(HOST, ports.get(next++));
      nodes.add(new Node(from, endpoint, ports.get(next++), whole.resolve("node-" + from), null));
      for (int to = 1; to <= size; to++) {
        if (to != from) {
          links.add(new Link(from, to, new Endpoint(HOST, ports.get(next++))));
        }
      }
    }
    byte[] token = new byte[TOKEN_BYTES];
    new SecureRandom().nextBytes(token);
    return new Cluster(whole, control, HexFormat.of().formatHex(token), nodes, links);
  }

  /** The port of control, then for each node its data port, HTTP port and links; all are free. */
  private static List<Integer> ports(int size, int basePort) {
    List<Integer> wanted = wanted(size, basePort == 0 ? anyBase(size) : basePort);
    for (int port : wanted) {
      try {
        requireFree(port);
      } catch (IOException | IllegalArgumentException e) {
        throw Failure.failed(
            "port " + port + " cannot be used: " + e.getMessage(),
            "Choose other ports: --base-port N, or 0 for any that are free.");
      }
    }
    return wanted;
  }

  private static List<Integer> wanted(int size, int basePort) {
    List<Integer> wanted = new ArrayList<>(List.of(basePort));
    for (int node = 1; node <= size; node++) {
      for (int i = 0; i < size + 1; i++) {
        wanted.add(basePort + PORTS_PER_NODE * node + i);
      }
    }
    return wanted;
  }

  /**
   * A base with free ports. Nobody holds the ports of a node while it is down, and one that the
   * system chooses it would give to the next who asks for any; these lie below those.
   */
  private static int anyBase(int size) {
    int most = PORTS_PER_NODE * (size + 1);
    int base = 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      base = ThreadLocalRandom.current().nextInt(ANY_FROM, ANY_TO - most);
      if (wanted(size, base).stream().allMatch(Cluster::isFree)) {
        return base;
      }
    }
    return base;
  }

  private static boolean isFree(int port) {
    try {
      requireFree(port);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static void requireFree(int port) throws IOException {
    new ServerSocket(port, 1, InetAddress.ofLiteral(HOST)).close();
  }

  // ---- As text ----------------------------------------------------------------------------------

  private static Path file(Home home) {
    return home.folder().resolve("cluster.toml");
  }

  /** The cluster of a home. */
  static Optional<Cluster> find(Home home) {
    Path file = file(home);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new Text(file, Settings.parse(Files.readAllLines(file), file + "")).read());
    } catch (IOException e) {
      throw Failure.failed("cannot read " + file + ": " + e.getMessage(), "Check the file.");
    }
  }

  /** The cluster of a home, which must be there. */
  static Cluster of(Home home) {
    return find(home)
        .orElseThrow(() -> Failure.failed("there is no cluster", "Start one: holdfast cluster up"));
  }

  /** What is in the file, by section and key. */
  private record Text(Path file, Map<String, String> values) {
    Cluster read() {
      List<Node> nodes = new ArrayList<>();
      List<Link> links = new ArrayList<>();
      for (int from = 1; values.containsKey("node." + from + ".server"); from++) {
        String node = "node." + from + ".";
        String identity = values.get(node + "identity");
        nodes.add(
            new Node(
                from,
                Endpoint.parse(value(node + "server")),
                Integer.parseInt(value(node + "http-port")),
                Path.of(value(node + "folder")),
                identity == null ? null : VerifyKey.parse(identity)));
        for (int to = 1; to <= MAX_NODES; to++) {
          String listen = values.get("link." + from + "." + to + ".listen");
          if (listen != null) {
            links.add(new Link(from, to, Endpoint.parse(listen)));
          }
        }
      }
      return new Cluster(
          Path.of(value("folder")),
          Endpoint.parse(value("links.control")),
          value("links.token"),
          nodes,
          links);
    }

    private String value(String key) {
      String value = values.get(key);
      if (value == null) {
        throw Failure.failed(
            file + " has no '" + key + "'", "Remove it and run: holdfast cluster up");
      }
      return value;
    }
  }

  /** Writes the file. */
  void keep(Home home) throws IOException {
    StringBuilder text = new StringBuilder("# Written by 'holdfast cluster'.\n");
    put(text, "folder", folder);
    text.append("\n[links]\n");
    put(text, "control", control);
    put(text, "token", token);
    for (Node node : nodes) {
      text.append("\n[node.").append(node.number()).append("]\n");
      put(text, "server", node.endpoint());
      text.append("http-port = ").append(node.httpPort()).append('\n');
      put(text, "folder", node.folder());
      if (node.identity() != null) {
        put(text, "identity", node.identity());
      }
    }
    for (Link link : links) {
      text.append("\n[link.").append(link.from()).append('.').append(link.to()).append("]\n");
      put(text, "listen", link.listen());
    }
    PrivateFiles.write(file(home), text.toString());
  }

  private static void put(StringBuilder text, String key, Object value) {
    text.append(key).append(" = \"").append(value).append("\"\n");
  }

  /** Removes the file. */
  static void forget(Home home) throws IOException {
    Files.deleteIfExists(file(home));
  }
}
