package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The edge as a process: killed at any moment, and administered by its commands. */
@Timeout(300)
class EdgeTest {
  private static final String LOGIN = "ann:correct horse";
  private static final int CLIENTS = 8;
  private static final int KEYS = 5;

  @TempDir Path folder;

  private EdgeProcess up() throws Exception {
    return EdgeProcess.start(folder, folder.resolve("log"));
  }

  /**
   * I19: kill -9 while clients write. What was acknowledged is there; what was not is sent again
   * with its idempotency key; in the end everything was made exactly once.
   */
  @Test
  void i19NothingAcknowledgedIsLostOrAppliedTwiceWhenTheEdgeIsKilled() throws Exception {
    Random random = new Random(5);
    Map<String, Integer> made = new ConcurrentHashMap<>();
    Map<String, String> last = new ConcurrentHashMap<>();
    Queue<Refused> refusals = new ConcurrentLinkedQueue<>();
    List<Integer> next = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      next.add(0);
    }
    EdgeProcess edge = up();
    EdgeProcess.run(
        folder,
        0,
        "correct horse\n",
        "edge",
        "user",
        "add",
        "ann",
        "--grant",
        "home=write",
        "--password-file",
        "-");
    for (int round = 0; round < 3; round++) {
      EdgeProcess running = edge;
      CountDownLatch enough = new CountDownLatch(40 + random.nextInt(60));
      List<Thread> clients = new ArrayList<>();
      HttpClient http = running.client();
      for (int client = 0; client < CLIENTS; client++) {
        int me = client;
        clients.add(
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    while (true) {
                      write(running, http, me, next.get(me), made, last);
                      next.set(me, next.get(me) + 1);
                      enough.countDown();
                    }
                  } catch (IOException | InterruptedException killed) {
                    // What this client was about to do it does again, when there is an edge.
                    enough.countDown();
                  } catch (Refused refused) {
                    refusals.add(refused);
                    while (enough.getCount() > 0) {
                      enough.countDown();
                    }
                  }
                }));
      }
      enough.await();
      running.kill();
      for (Thread client : clients) {
        client.join();
      }
      http.shutdownNow();
      assertThat(refusals).as("what an edge said that was there").isEmpty();
      edge = up();
    }
    try (EdgeProcess running = edge;
        HttpClient http = running.client()) {
      for (int client = 0; client < CLIENTS; client++) {
        write(running, http, client, next.get(client), made, last);
      }
      for (Map.Entry<String, String> entry : last.entrySet()) {
        String path = "/v1/kv/home/" + entry.getKey();
        assertThat(get(running, http, path)).isEqualTo(entry.getValue());
        String history = get(running, http, path + "/history?limit=1000");
        assertThat(history.split("\"number\"", -1).length - 1)
            .as(entry.getKey())
            .isEqualTo(made.get(entry.getKey()));
      }
    }
  }

  /** An edge that is there did not do what it was asked for. */
  private static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refused(String message) {
      super(message);
    }
  }

  private static void write(
      EdgeProcess edge,
      HttpClient http,
      int client,
      int number,
      Map<String, Integer> made,
      Map<String, String> last)
      throws IOException, InterruptedException {
    String key = "c" + client + "-" + number % KEYS;
    HttpResponse<String> response =
        http.send(
            edge.request(LOGIN, "/v1/kv/home/" + key)
                .header("Idempotency-Key", client + "/" + number)
                .PUT(HttpRequest.BodyPublishers.ofString("v" + number))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() / 100 != 2) {
      throw new Refused(response.statusCode() + " " + response.body());
    }
    made.merge(key, 1, Integer::sum);
    last.put(key, "v" + number);
  }

  private static String get(EdgeProcess edge, HttpClient http, String path) throws Exception {
    HttpResponse<String> response =
        http.send(edge.request(LOGIN, path).build(), HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return response.body();
  }

  @Test
  void usersAreAdministeredByCommandsAndSecretsStayWhereTheyAre() throws Exception {
    assertThat(EdgeProcess.run(folder, 1, "", "edge", "status")).contains("holdfast edge up");
    try (EdgeProcess edge = up();
        HttpClient http = edge.client()) {
      EdgeProcess.run(
          folder,
          0,
          "correct horse\n",
          "edge",
          "user",
          "add",
          "ann",
          "--grant",
          "home=write,garden=read",
          "--password-file",
          "-");
      assertThat(
              EdgeProcess.run(
                  folder,
                  2,
                  "correct horse\n",
                  "edge",
                  "user",
                  "add",
                  "ann",
                  "--password-file",
                  "-"))
          .contains("already");
      assertThat(EdgeProcess.run(folder, 0, "", "edge", "user", "list", "--json"))
          .contains("{\"user\":\"ann\",\"rights\":[\"home=write\",\"garden=read\"]}");
      write(edge, http, 0, 0, new ConcurrentHashMap<>(), new ConcurrentHashMap<>());
      EdgeProcess.run(folder, 0, "", "edge", "user", "grant", "ann", "garden=none", "*=read");
      assertThat(EdgeProcess.run(folder, 0, "", "edge", "user", "list")).contains("*=read");
      Path secret = Files.writeString(folder.resolve("secret"), "another password\n");
      EdgeProcess.run(
          folder, 0, "", "edge", "user", "passwd", "ann", "--password-file", secret.toString());
      assertThat(status(edge, http, LOGIN)).isEqualTo(401);
      assertThat(status(edge, http, "ann:another password")).isEqualTo(200);
      assertThat(EdgeProcess.run(folder, 0, "", "edge", "status", "--json"))
          .contains("\"writable\":true");
      assertThat(EdgeProcess.run(folder, 0, "", "edge", "audit", "ann"))
          .contains("vouched for by the edge only");
      assertThat(EdgeProcess.run(folder, 1, "", "edge", "audit", "nobody"))
          .contains("nobody wrote anything", "enrolled under");
      assertThat(EdgeProcess.run(folder, 2, "", "edge", "user", "grant", "ann", "home=raed"))
          .contains("Did you mean 'read'?");
      assertThat(EdgeProcess.run(folder, 2, "", "edge", "up", "--port", "0"))
          .contains("another server is running", "Stop that one first");
      EdgeProcess.run(folder, 0, "", "edge", "user", "remove", "ann");
      EdgeProcess.run(folder, 1, "", "edge", "user", "remove", "ann");
      assertThat(status(edge, http, "ann:another password")).isEqualTo(401);
      assertThat(
              PosixFilePermissions.toString(
                  Files.getPosixFilePermissions(folder.resolve("edge/admin"))))
          .isEqualTo("rw-------");
    }
    String log = Files.readString(folder.resolve("log"), StandardCharsets.UTF_8);
    assertThat(log).doesNotContain("correct horse", "another password", "$2b$", "Basic ");
    assertThat(Files.exists(folder.resolve("edge/admin"))).isFalse();
  }

  private static int status(EdgeProcess edge, HttpClient http, String login) throws Exception {
    return http.send(
            edge.request(login, "/v1/kv/home").build(), HttpResponse.BodyHandlers.ofString())
        .statusCode();
  }
}
