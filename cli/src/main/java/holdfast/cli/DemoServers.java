package holdfast.cli;

import holdfast.client.Home;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Servers in processes of their own, and a home, in a folder; all are gone afterwards. */
final class DemoServers implements AutoCloseable {
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /** How often in a row nothing is to be found before it is believed to be gone. */
  private static final int QUIET_LOOKS = 5;

  private final Path folder;
  private final List<DemoServer> servers = new ArrayList<>();
  private final Thread cleaning = new Thread(this::cleanUp, "holdfast-clean");

  private DemoServers(Path folder) {
    this.folder = folder;
  }

  /** Starts servers, and returns when all of them serve. */
  static DemoServers start(Terminal terminal, int count) throws IOException, InterruptedException {
    DemoServers made = new DemoServers(Files.createTempDirectory("holdfast-"));
    // Also when the command is interrupted.
    Runtime.getRuntime().addShutdownHook(made.cleaning);
    try {
      for (int i = 1; i <= count; i++) {
        DemoServer server = new DemoServer(terminal, made.folder.resolve("server-" + i));
        made.servers.add(server);
        server.start();
      }
      for (DemoServer server : made.servers) {
        server.awaitServing();
      }
      return made;
    } catch (IOException | InterruptedException | RuntimeException e) {
      made.close();
      throw e;
    }
  }

  Path folder() {
    return folder;
  }

  Home home() {
    return Home.at(folder.resolve("home"));
  }

  /** The servers, in order. */
  List<DemoServer> all() {
    return servers;
  }

  /** Ends all of them. */
  void stop() {
    servers.forEach(DemoServer::kill);
  }

  /**
   * Runs while the command itself may still be at work, and may still write: what it makes after
   * the folder is gone goes too.
   */
  private void cleanUp() {
    stop();
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    IOException failure = null;
    for (int quiet = 0; quiet < QUIET_LOOKS && System.nanoTime() - deadline < 0; quiet++) {
      try {
        quiet = Files.exists(folder) ? -1 : quiet;
        Throwaway.delete(folder);
        failure = null;
      } catch (IOException e) {
        failure = e;
      }
      LockSupport.parkNanos(LOOK_NANOS);
    }
    if (failure != null) {
      System.err.println("holdfast: " + folder + " cannot be deleted: " + failure.getMessage());
    }
  }

  @Override
  public void close() throws IOException {
    stop();
    Throwaway.delete(folder);
    try {
      Runtime.getRuntime().removeShutdownHook(cleaning);
    } catch (IllegalStateException e) {
      // It is running: the command was interrupted, and this is its end.
      cleaning.setName("holdfast-cleaned");
    }
  }
}
