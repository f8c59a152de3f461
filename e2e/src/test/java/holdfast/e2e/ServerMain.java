package holdfast.e2e;

import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.store.StoreOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Set;

/**
 * A server as a process of its own, on the data folder given. Says where it listens on standard
 * output, stops cleanly when standard input ends, and ends with code 3 when its store fails.
 */
final class ServerMain {
  private static final int STORE_FAILED = 3;

  private ServerMain() {}

  static NodeOptions options(Path data) {
    StoreOptions store = StoreOptions.defaults();
    return NodeOptions.of(
            data, new Endpoint("127.0.0.1", 0), new Endpoint("127.0.0.1", 0), Set.of())
        .withStore(
            new StoreOptions(
                16 << 20,
                8 << 20,
                // Small, so that logs are switched and tables compacted within a short test.
                256 << 10,
                store.pendingBytes(),
                8 << 20,
                256,
                1 << 20));
  }

  public static void main(String[] args) throws InterruptedException {
    Node node = Node.start(options(Path.of(args[0])));
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            System.in.transferTo(java.io.OutputStream.nullOutputStream());
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          node.close();
          Runtime.getRuntime().halt(0);
        });
    System.out.println(node.endpoint().port() + " " + node.identity());
    System.err.println("stopped: " + node.awaitFailure());
    Runtime.getRuntime().halt(STORE_FAILED);
  }
}
