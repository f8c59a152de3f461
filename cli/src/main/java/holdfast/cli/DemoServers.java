package holdfast.cli;

import holdfast.client.Home;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Servers in processes of their own, and a home, in a folder; all are gone afterwards. */
final class DemoServers implements AutoCloseable {
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

  private void cleanUp() {
    stop();
    try {
      Throwaway.delete(folder);
    } catch (IOException e) {
      System.err.println("holdfast: " + folder + " cannot be deleted: " + e.getMessage());
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
