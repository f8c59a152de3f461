package holdfast.cli;

import holdfast.client.Home;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A server and a home in a folder that is gone afterwards. */
final class Throwaway implements AutoCloseable {
  private final Path folder;
  private @Nullable Node node;

  private Throwaway(Path folder) {
    this.folder = folder;
  }

  static Throwaway make() throws IOException {
    return new Throwaway(Files.createTempDirectory("holdfast-"));
  }

  Path folder() {
    return folder;
  }

  Path data() {
    return folder.resolve("data");
  }

  Home home() {
    return Home.at(folder.resolve("home"));
  }

  /** Starts the server and pins it at home. */
  Endpoint start() {
    Endpoint any = new Endpoint("127.0.0.1", 0);
    Node started = Node.start(NodeOptions.of(data(), any, any, Set.of()));
    node = started;
    home().pin(started.endpoint(), started.identity());
    return started.endpoint();
  }

  void stop() {
    Node running = node;
    node = null;
    if (running != null) {
      running.close();
    }
  }

  @Override
  public void close() throws IOException {
    try {
      stop();
    } finally {
      delete(folder);
    }
  }

  /** Deletes a folder and all that is in it, if it is there. */
  static void delete(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return;
    }
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
