package holdfast.e2e;

import holdfast.base.HoldfastException;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.node.replication.MeetingOptions;
import holdfast.store.StoreOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * A server as a process of its own, on the data folder given; if they are given too, at a port and
 * with routes to other servers. Says where it listens on standard output, stops cleanly when
 * standard input ends, and ends with code 3 when its store fails, with code 4 when it refuses to
 * start.
 */
final class ServerMain {
  static final int STORE_FAILED = 3;
  static final int REFUSED = 4;
  static final String REFUSED_WORD = "refused: ";

  /** Often enough for a short test. */
  private static final int PERIOD_MILLIS = 500;

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
                1 << 20,
                StoreOptions.UNLIMITED));
  }

  private static NodeOptions options(List<String> args) {
    Path data = Path.of(args.getFirst());
    if (args.size() == 1) {
      return options(data);
    }
    StoreOptions store = options(data).store();
    return NodeOptions.of(
            data,
            new Endpoint("127.0.0.1", Integer.parseInt(args.get(1))),
            new Endpoint("127.0.0.1", 0),
            Set.of())
        .withStore(store)
        .withReplication(
            MeetingOptions.defaults()
                .withPeriod(PERIOD_MILLIS, PERIOD_MILLIS / 10)
                .withRoutes(Routes.parse(args.subList(2, args.size()))));
  }

  public static void main(String[] args) throws InterruptedException {
    Node node;
    try {
      node = Node.start(options(List.of(args)));
    } catch (HoldfastException e) {
      System.err.println(REFUSED_WORD + e.code() + " " + e.getMessage());
      System.exit(REFUSED);
      return;
    }
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
