package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.testkit.Ports;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One server of several that keep a capsule: its process, its disk, its identity. It comes back at
 * the same port.
 */
final class FaultyReplica implements AutoCloseable {
  private static final int DISK_MEGABYTES = 640;

  private static final int MOST_ROTTEN = 4;
  private static final String IDENTITY = "identity.pem";

  /** What says who the server is, or says nothing to it: damage there is none to what it keeps. */
  private static final Set<String> SPARED = Set.of(IDENTITY, "lock", "LOCK", "LOG", "IDENTITY");

  private final String name;
  private final Path folder;
  private final @Nullable LoopDisk disk;
  private final Path data;
  private final Endpoint endpoint;
  private final VerifyKey identity;
  private List<String> routes = List.of();
  private @Nullable ServerProcess process;
  private @Nullable Server server;

  private FaultyReplica(String name, Path folder, @Nullable LoopDisk disk, SigningKey key)
      throws IOException {
    this.name = name;
    this.folder = folder;
    this.disk = disk;
    this.data = (disk == null ? folder : disk.folder()).resolve("data");
    this.endpoint = new Endpoint("127.0.0.1", Ports.free());
    this.identity = key.verifyKey();
    Files.createDirectory(data);
    Files.writeString(data.resolve(IDENTITY), key.toPem());
    keepIdentity();
  }

  /**
   * Prepares a server.
   *
   * @param folder where everything of it goes
   * @param mounted whether it gets a disk of its own, if this process may mount one
   */
  static FaultyReplica make(String name, Path folder, SigningKey key, boolean mounted)
      throws Exception {
    Files.createDirectory(folder);
    LoopDisk disk =
        mounted
            ? LoopDisk.make(folder.resolve("image"), folder.resolve("disk"), DISK_MEGABYTES)
            : null;
    return new FaultyReplica(name, folder, disk, key);
  }

  String name() {
    return name;
  }

  Endpoint endpoint() {
    return endpoint;
  }

  VerifyKey identity() {
    return identity;
  }

  /** Where the other servers are reached from here. */
  void route(List<String> ways) {
    routes = List.copyOf(ways);
  }

  /** Null when it has no disk of its own. */
  @Nullable LoopDisk disk() {
    return disk;
  }

  ServerProcess process() {
    ServerProcess running = process;
    assertThat(running).as("server %s was started", name).isNotNull();
    return running;
  }

  /** The server, without a proxy in between. */
  Server server() {
    Server reached = server;
    assertThat(reached).as("server %s was started", name).isNotNull();
    return reached;
  }

  /** Starts it, in a process of its own. */
  void start() throws Exception {
    List<String> arguments = new ArrayList<>(List.of(data.toString()));
    arguments.add(String.valueOf(endpoint.port()));
    arguments.addAll(routes);
    Server before = server;
    if (before != null) {
      before.close();
    }
    process = ServerProcess.start(arguments, folder.resolve("log"));
    server = Server.at(endpoint, identity);
  }

  /** All that it kept is gone, but not who it is. It must not be running. */
  void empty() throws IOException {
    Path kept = folder.resolve(IDENTITY);
    Files.copy(data.resolve(IDENTITY), kept);
    try (Stream<Path> files = Files.walk(data)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
    Files.createDirectory(data);
    Files.move(kept, data.resolve(IDENTITY));
    keepIdentity();
  }

  /** A power cut takes what was not synced, and the tests' server is not to lose who it is. */
  private void keepIdentity() throws IOException {
    for (Path one : List.of(data.resolve(IDENTITY), data, data.resolveSibling("."))) {
      try (FileChannel file = FileChannel.open(one)) {
        file.force(true);
      }
    }
  }

  /**
   * Flips bits of some files, most of them tables.
   *
   * @return the files' names
   */
  List<String> rot(Random random) throws IOException {
    List<Path> files = new ArrayList<>();
    try (Stream<Path> all = Files.walk(data)) {
      all.filter(file -> Files.isRegularFile(file) && rots(file)).sorted().forEach(files::add);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    List<Path> tables = files.stream().filter(file -> file.toString().endsWith(".sst")).toList();
    List<String> rotten = new ArrayList<>();
    for (int left = 1 + random.nextInt(MOST_ROTTEN); left > 0; left--) {
      List<Path> from = tables.isEmpty() || random.nextInt(4) == 0 ? files : tables;
      Path file = from.get(random.nextInt(from.size()));
      if (flip(file, random)) {
        rotten.add(String.valueOf(file.getFileName()));
      }
    }
    return rotten;
  }

  /** Flips bits of a file, if the server has not deleted it meanwhile. */
  private static boolean flip(Path file, Random random) throws IOException {
    if (!Files.exists(file)) {
      return false;
    }
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      for (int bits = 1 + random.nextInt(3); bits > 0; bits--) {
        long at = (long) (random.nextDouble() * out.length());
        out.seek(at);
        int old = out.read();
        out.seek(at);
        out.write(old ^ 1 << random.nextInt(8));
      }
    }
    return true;
  }

  private static boolean rots(Path file) {
    String last = String.valueOf(file.getFileName());
    return !SPARED.contains(last)
        && !last.startsWith("LOG.")
        && !last.startsWith("OPTIONS")
        && file.toFile().length() > 0;
  }

  /** What the server has said. */
  String log() throws IOException {
    Path log = folder.resolve("log");
    return Files.exists(log) ? Files.readString(log) : "";
  }

  Path data() {
    return data;
  }

  /** Stops it in good order. */
  void stop() throws IOException {
    Server reached = server;
    if (reached != null) {
      reached.close();
    }
    ServerProcess running = process;
    if (running != null) {
      running.close();
    }
  }

  @Override
  public void close() throws IOException {
    ServerProcess running = process;
    if (running != null) {
      try {
        running.kill();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    stop();
    LoopDisk mounted = disk;
    if (mounted != null) {
      mounted.close();
    }
  }
}
