package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;

/**
 * {@code /v1/kv/{space}/watch}: changes as server-sent events. A watch holds nothing but its place:
 * it reads on from there in the view, so that a slow one costs no memory, and one that comes back
 * goes on where it was.
 */
final class WatchRoute {
  private static final HeaderName LAST_EVENT_ID = HeaderNames.create("Last-Event-ID");
  private static final int AT_ONCE = 256;
  private static final long QUIET_MILLIS = 15_000;

  /** How often a watch is ended whose client has lost its right, user or certificate. */
  private static final long LOOK_MILLIS = 1000;

  private final Edge edge;
  private final Semaphore room;
  private volatile boolean stopping;

  WatchRoute(Edge edge, int most) {
    this.edge = edge;
    this.room = new Semaphore(most);
  }

  static boolean wanted(Exchange exchange) {
    String accept = exchange.header(HeaderNames.ACCEPT);
    return exchange.method.equals("GET") && accept != null && accept.contains("text/event-stream");
  }

  void handle(Exchange exchange, String space) throws IOException, InterruptedException {
    exchange.login.require(Right.READ, space);
    long after = edge.view().mark().number();
    String last = exchange.header(LAST_EVENT_ID);
    if (last != null) {
      if (!last.matches("\\d{1,18}")) {
        throw Problem.invalid("Last-Event-ID is the id of an event");
      }
      after = Math.min(after, Long.parseLong(last));
    }
    if (!room.tryAcquire()) {
      throw new Problem(Problem.Code.BUSY, "too many watch already", 5);
    }
    try (OutputStream out = open(exchange)) {
      follow(exchange.client, space, after, out);
    } finally {
      room.release();
    }
  }

  private static OutputStream open(Exchange exchange) {
    exchange
        .response
        .header(HeaderValues.CONTENT_TYPE_EVENT_STREAM)
        .header(HeaderNames.CACHE_CONTROL, "no-store");
    return exchange.response.outputStream();
  }

  private void follow(ClientLogin client, String space, long from, OutputStream out)
      throws IOException, InterruptedException {
    long after = from;
    long quietMillis = 0;
    out.write(": this is a watch of a space\n\n".getBytes(UTF_8));
    out.flush();
    while (!stopping && client.still(edge, Right.READ, space)) {
      List<String> events = new ArrayList<>();
      long[] last = {after};
      long seen = edge.view().mark().number();
      edge.view()
          .changes(
              space,
              after,
              (number, key) -> {
                Version version = edge.view().version(space, key, number);
                if (version != null) {
                  events.add(event(key, version));
                }
                last[0] = number;
                return events.size() < AT_ONCE;
              });
      for (String event : events) {
        out.write(event.getBytes(UTF_8));
      }
      after = last[0];
      if (!events.isEmpty()) {
        out.flush();
        quietMillis = 0;
      } else if (!edge.view().awaitAbove(seen, LOOK_MILLIS)) {
        quietMillis += LOOK_MILLIS;
        if (quietMillis >= QUIET_MILLIS) {
          quietMillis = 0;
          out.write(":\n\n".getBytes(UTF_8));
          out.flush();
        }
      }
    }
  }

  private static String event(String key, Version version) {
    return "id: "
        + version.number()
        + "\nevent: "
        + (version.deletion() ? "delete" : "put")
        + "\ndata: "
        + KeyValueRoutes.json(version).put("key", key)
        + "\n\n";
  }

  void stop() {
    stopping = true;
  }
}
