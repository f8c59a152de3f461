package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.BOB;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Patience;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Watches: server-sent events, which can be resumed and are bounded. */
@Timeout(Patience.TEST_SECONDS)
class WatchTest {
  private static final int MOST = 8;

  @TempDir static Path data;
  private static EdgeFixture edge;

  @BeforeAll
  static void start() throws Exception {
    edge =
        EdgeFixture.start(
            data,
            plain ->
                new EdgeOptions(
                    plain.data(),
                    plain.rest(),
                    plain.mqtt(),
                    plain.node(),
                    plain.nodeHttp(),
                    plain.hosts(),
                    null,
                    plain.bcryptCost(),
                    plain.queueTasks(),
                    plain.queueBytes(),
                    plain.connections(),
                    MOST,
                    plain.allowOwners(),
                    plain.routes(),
                    plain.heartbeatMillis()));
  }

  @AfterAll
  static void stop() {
    edge.close();
  }

  /** An open watch. */
  private record Watch(HttpResponse<java.io.InputStream> response, BufferedReader lines)
      implements AutoCloseable {
    static Watch open(String login, String space, String after) throws Exception {
      HttpRequest.Builder request =
          edge.request(login, "/v1/kv/" + space + "/watch").header("Accept", "text/event-stream");
      if (!after.isEmpty()) {
        request.header("Last-Event-ID", after);
      }
      HttpResponse<java.io.InputStream> response =
          edge.http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
      BufferedReader lines =
          new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
      if (response.statusCode() == 200) {
        // The watch has begun when its first line has come.
        lines.readLine();
      }
      return new Watch(response, lines);
    }

    /** The next event: kind, key and id. */
    String next() throws IOException {
      String id = "";
      String kind = "";
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("id: ")) {
          id = line.substring(4);
        } else if (line.startsWith("event: ")) {
          kind = line.substring(7);
        } else if (line.startsWith("data: ")) {
          Object data = Json.read(line.substring(6).getBytes(StandardCharsets.UTF_8));
          return kind + " " + Json.text(Json.map(data, "data"), "key") + " " + id;
        }
      }
      return "";
    }

    @Override
    public void close() throws IOException {
      response.body().close();
    }
  }

  private static String withoutId(String event) {
    return event.substring(0, event.lastIndexOf(' '));
  }

  @Test
  void aWatchSeesChangesOfItsSpaceInOrderAndGoesOnWhereItWas() throws Exception {
    String middle;
    try (Watch watch = Watch.open(BOB, "home", "")) {
      edge.put(ANN, "/v1/kv/home/w1", "1");
      edge.put(ANN, "/v1/kv/garden/other", "1");
      edge.put(ANN, "/v1/kv/home/w2", "2");
      edge.delete(ANN, "/v1/kv/home/w1");
      List<String> events = new ArrayList<>();
      events.add(watch.next());
      middle = events.getFirst().substring(events.getFirst().lastIndexOf(' ') + 1);
      events.add(watch.next());
      events.add(watch.next());
      assertThat(events.stream().map(WatchTest::withoutId))
          .containsExactly("put w1", "put w2", "delete w1");
    }
    edge.put(ANN, "/v1/kv/home/w3", "3");
    try (Watch watch = Watch.open(BOB, "home", middle)) {
      assertThat(withoutId(watch.next())).isEqualTo("put w2");
      assertThat(withoutId(watch.next())).isEqualTo("delete w1");
      assertThat(withoutId(watch.next())).isEqualTo("put w3");
    }
  }

  @Test
  void aWatchNeedsTheRightToReadAndEndsWithIt() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      admin.add(
          "eve",
          "eavesdropper".getBytes(StandardCharsets.UTF_8),
          List.of(new EdgeAdmin.Right("home", "read")));
      try (Watch watch = Watch.open("eve:eavesdropper", "home", "")) {
        admin.grant("eve", List.of(new EdgeAdmin.Right("home", "none")));
        edge.put(ANN, "/v1/kv/home/secret", "1");
        edge.put(ANN, "/v1/kv/home/secret", "2");
        String last = "";
        for (String event = watch.next(); !event.isEmpty(); event = watch.next()) {
          last = event;
        }
        assertThat(last).isEmpty();
      }
      try (Watch refused = Watch.open("eve:eavesdropper", "home", "")) {
        assertThat(refused.response().statusCode()).isEqualTo(403);
      }
    }
  }

  @Test
  void thereIsRoomForSoManyWatchesAndNoMore() throws Exception {
    // Watches whose clients have gone may still hold their places, until they are written to.
    List<Watch> open = new ArrayList<>();
    try {
      while (open.size() <= MOST
          && (open.isEmpty() || open.getLast().response().statusCode() == 200)) {
        open.add(Watch.open(ANN, "garden", ""));
      }
      assertThat(open.getFirst().response().statusCode()).isEqualTo(200);
      assertThat(open.getLast().response().statusCode()).isEqualTo(503);
      assertThat(open.getLast().response().headers().firstValue("Retry-After")).isPresent();
    } finally {
      for (Watch one : open) {
        one.close();
      }
    }
  }

  @Test
  void withoutTheHeaderItIsAKey() throws Exception {
    edge.put(ANN, "/v1/kv/home/watch", "a key like others");
    assertThat(EdgeFixture.text(edge.get(ANN, "/v1/kv/home/watch"))).isEqualTo("a key like others");
  }
}
