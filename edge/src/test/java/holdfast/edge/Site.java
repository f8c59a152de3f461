package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.node.replication.MeetingOptions;
import holdfast.testkit.Patience;
import holdfast.testkit.Ports;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Masters and edges on this machine, and the operator who owns them. */
final class Site implements AutoCloseable {
  static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);
  final Path scratch;
  final SigningKey operator = SigningKey.generate(new SecureRandom());
  final List<Node> masters = new ArrayList<>();
  private final List<Server> servers = new ArrayList<>();

  Site(Path scratch, int masters) {
    this.scratch = scratch;
    for (int i = 0; i < masters; i++) {
      this.masters.add(startMaster(i, Ports.free()));
      servers.add(Server.at(this.masters.get(i).endpoint(), this.masters.get(i).identity()));
    }
  }

  private Node startMaster(int number, int port) {
    return Node.start(
        NodeOptions.of(
                scratch.resolve("master-" + number),
                new Endpoint("127.0.0.1", port),
                ANYWHERE,
                Set.of())
            .withHeartbeat(500)
            .withReplication(MeetingOptions.defaults().withPeriod(200, 20)));
  }

  List<Server> servers() {
    return servers;
  }

  /** Stops a master, and starts it again at the same place. */
  void restart(int master, Runnable between) {
    int port = masters.get(master).endpoint().port();
    masters.get(master).close();
    between.run();
    masters.set(master, startMaster(master, port));
  }

  EdgeFolder folder(String name) {
    return EdgeFolder.at(scratch.resolve(name));
  }

  EdgeFolder init(String name) throws ProofException {
    EdgeFolder folder = folder(name);
    folder.init(name, operator);
    return folder;
  }

  static Gateway start(EdgeFolder folder) throws ProofException {
    return Gateway.start(EdgeOptions.of(folder.path(), ANYWHERE, ANYWHERE));
  }

  /** Places an edge that runs on all masters. */
  void place(Gateway edge, EdgeFolder folder) throws ProofException {
    try (Server own = Server.at(edge.node().endpoint(), edge.node().identity())) {
      Masters.place(own, servers, List.of(folder.capsule()), operator);
    }
  }

  Restore.Restored restore(EdgeFolder folder, Hash capsule) throws ProofException {
    return Restore.restore(
        folder, servers, capsule, operator, Restore.Options.defaults(), (one, here, all) -> {});
  }

  static void backedUp(Gateway edge) {
    eventually(
        "all is backed up",
        () -> {
          Backup.Status status = edge.backup().status();
          return !status.masters().isEmpty()
              && status.masters().stream().allMatch(one -> one.backlog().records() == 0);
        });
  }

  /** What a process that is killed now leaves in a folder without folders. */
  static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (var files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName().toString()));
      }
    }
  }

  static void eventually(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + Patience.NANOS;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("did not come true in time: " + what);
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Everything that an edge answers from, but for where in which capsule the view stands. */
  static Map<Bytes, Bytes> view(EdgeFolder folder) {
    Map<Bytes, Bytes> all = new TreeMap<>(Site::byBytes);
    try (View view = View.open(folder.view())) {
      view.table.scan(
          new byte[] {'a'},
          new byte[] {'z', (byte) 0xFF},
          (key, value) -> {
            if (key[0] != ViewKeys.MARK[0]) {
              all.put(Bytes.copyOf(key), Bytes.copyOf(value));
            }
            return true;
          });
    }
    return all;
  }

  private static int byBytes(Bytes one, Bytes other) {
    return java.util.Arrays.compareUnsigned(one.toArray(), other.toArray());
  }

  /** A user of an edge, over REST. */
  static final class User implements AutoCloseable {
    private final HttpClient client;
    private final EdgeFolder.Admin edge;
    private final String authorization;

    User(EdgeFolder folder, String name, String password) {
      this.edge = folder.running();
      this.authorization =
          "Basic "
              + java.util.Base64.getEncoder()
                  .encodeToString((name + ":" + password).getBytes(UTF_8));
      try (InputStream in = Files.newInputStream(edge.authority())) {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry(
            "ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        TrustManagerFactory trust =
            TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, trust.getTrustManagers(), null);
        client = HttpClient.newBuilder().sslContext(tls).build();
      } catch (IOException | GeneralSecurityException e) {
        throw new AssertionError(e);
      }
    }

    HttpResponse<byte[]> ask(String method, String path, byte[] body, String... headers)
        throws Exception {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(URI.create("https://" + edge.rest() + path))
              .header("Authorization", authorization)
              .method(method, HttpRequest.BodyPublishers.ofByteArray(body));
      for (int i = 0; i < headers.length; i += 2) {
        request.header(headers[i], headers[i + 1]);
      }
      return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    private static String path(String space, String key) {
      return "/v1/kv/" + space + "/" + URLEncoder.encode(key, UTF_8).replace("+", "%20");
    }

    void put(String space, String key, byte[] value, String... headers) throws Exception {
      HttpResponse<byte[]> response = ask("PUT", path(space, key), value, headers);
      if (response.statusCode() / 100 != 2) {
        throw new AssertionError(response.statusCode() + new String(response.body(), UTF_8));
      }
    }

    int delete(String space, String key) throws Exception {
      return ask("DELETE", path(space, key), new byte[0]).statusCode();
    }

    HttpResponse<byte[]> get(String space, String key) throws Exception {
      return ask("GET", path(space, key), new byte[0]);
    }

    @Override
    public void close() {
      client.close();
    }
  }

  @Override
  public void close() {
    servers.forEach(Server::close);
    masters.forEach(Node::close);
  }
}
