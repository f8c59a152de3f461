package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.BOB;
import static holdfast.edge.EdgeFixture.code;
import static holdfast.edge.EdgeFixture.etag;
import static holdfast.edge.EdgeFixture.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.OfflineProof;
import holdfast.testkit.Patience;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** I1 to I8, I28 and the traps of the REST interface, over the network. */
class KeyValueTest {
  @TempDir static Path data;
  private static EdgeFixture edge;

  @BeforeAll
  static void start() throws Exception {
    edge = EdgeFixture.start(data);
  }

  @AfterAll
  static void stop() {
    edge.close();
  }

  @Test
  void i1_i2_i3_putGetAndDeleteAKey() throws Exception {
    String path = "/v1/kv/home/i1";
    HttpResponse<byte[]> put =
        edge.send(
            edge.request(ANN, path)
                .header("Content-Type", "text/plain")
                .PUT(HttpRequest.BodyPublishers.ofString("21.5")));
    assertThat(put.statusCode()).isEqualTo(201);
    HttpResponse<byte[]> got = edge.get(ANN, path);
    assertThat(got.statusCode()).isEqualTo(200);
    assertThat(text(got)).isEqualTo("21.5");
    assertThat(got.headers().firstValue("Content-Type")).hasValue("text/plain");
    assertThat(got.headers().firstValue("Last-Modified")).isPresent();
    assertThat(etag(got)).isEqualTo(etag(put)).matches("\"[0-9a-f]{64}/\\d+\"");
    assertThat(edge.put(ANN, path, "22").statusCode()).isEqualTo(204);
    assertThat(edge.delete(ANN, path).statusCode()).isEqualTo(204);
    assertThat(edge.get(ANN, path).statusCode()).isEqualTo(404);
    assertThat(edge.delete(ANN, path).statusCode()).isEqualTo(404);
  }

  /** Trap: missing and empty indistinguishable. */
  @Test
  void i2_anEmptyValueIsNotAMissingOne() throws Exception {
    assertThat(edge.put(ANN, "/v1/kv/home/empty", "").statusCode()).isEqualTo(201);
    HttpResponse<byte[]> empty = edge.get(ANN, "/v1/kv/home/empty");
    assertThat(empty.statusCode()).isEqualTo(200);
    assertThat(empty.body()).isEmpty();
    HttpResponse<byte[]> missing = edge.get(ANN, "/v1/kv/home/missing");
    assertThat(missing.statusCode()).isEqualTo(404);
    assertThat(code(missing)).isEqualTo("not_found");
    // RFC 9457: of about:blank the title is the phrase of the status.
    assertThat(text(missing)).contains("\"type\":\"about:blank\",\"title\":\"Not Found\"");
  }

  @Test
  void i4_theVerbsAreThoseOfHttp() throws Exception {
    edge.put(ANN, "/v1/kv/home/verbs", "four");
    HttpResponse<byte[]> head =
        edge.send(
            edge.request(ANN, "/v1/kv/home/verbs")
                .method("HEAD", HttpRequest.BodyPublishers.noBody()));
    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(head.headers().firstValue("Content-Length")).hasValue("4");
    assertThat(head.body()).isEmpty();
    HttpResponse<byte[]> patch =
        edge.send(
            edge.request(ANN, "/v1/kv/home/verbs")
                .method("PATCH", HttpRequest.BodyPublishers.ofString("x")));
    assertThat(patch.statusCode()).isEqualTo(405);
    assertThat(patch.headers().firstValue("Allow")).hasValue("GET, HEAD, PUT, DELETE");
  }

  @Test
  void http1AndHttp2AreSpoken() throws Exception {
    edge.put(ANN, "/v1/kv/home/version", "x");
    for (HttpClient.Version version : HttpClient.Version.values()) {
      if (version.name().startsWith("HTTP_3")) {
        continue;
      }
      HttpResponse<byte[]> response =
          edge.send(edge.request(ANN, "/v1/kv/home/version").version(version));
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.version()).isEqualTo(version);
    }
  }

  /** Trap: the same key twice in one batch keeps the last. */
  @Test
  void i5_aBatchIsOrderedAndAllOrNothing() throws Exception {
    HttpResponse<byte[]> done =
        edge.post(
            ANN,
            "/v1/kv/home/batch",
            """
            [{"op":"put","key":"b1","value":"first"},
             {"op":"put","key":"b1","value":"last","type":"text/plain"},
             {"op":"put","key":"b2","base64":"AP8="},
             {"op":"put","key":"b3","value":"gone"},
             {"op":"delete","key":"b3"}]\
            """);
    assertThat(done.statusCode()).isEqualTo(200);
    Map<?, ?> answer = Json.map(Json.read(done.body()), "answer");
    assertThat((List<?>) answer.get("etags")).hasSize(5);
    HttpResponse<byte[]> b1 = edge.get(ANN, "/v1/kv/home/b1");
    assertThat(text(b1)).isEqualTo("last");
    assertThat(etag(b1)).isEqualTo(((List<?>) answer.get("etags")).get(1));
    assertThat(edge.get(ANN, "/v1/kv/home/b2").body()).containsExactly(0, 0xFF);
    assertThat(edge.get(ANN, "/v1/kv/home/b3").statusCode()).isEqualTo(404);

    for (String bad :
        List.of(
            "[]",
            "{}",
            "[{\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\"},{\"op\":\"put\",\"key\":\"n2\"}]",
            "[{\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\"},{\"op\":\"delete\"}]",
            "[{\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\"},{\"op\":\"move\",\"key\":\"n2\"}]",
            "[{\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\",\"ttl\":1}]",
            "[{\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\",\"base64\":\"eA==\"}]",
            "[{\"op\":\"put\",\"key\":\"\",\"value\":\"x\"}]",
            "[{\"op\":\"put\",\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\"}]",
            "[{\"op\":\"put\",\"key\":\"n1\",\"value\":\"x\"}] x")) {
      assertThat(edge.post(ANN, "/v1/kv/home/batch", bad).statusCode()).as(bad).isEqualTo(400);
    }
    assertThat(edge.get(ANN, "/v1/kv/home/n1").statusCode()).isEqualTo(404);
  }

  @Test
  void i6_withoutALoginThereIsNothingButAChallenge() throws Exception {
    for (String path :
        List.of(
            "/v1/kv/home/x",
            "/v1/kv/home",
            "/v1/nothing",
            "/",
            "/openapi.yaml/",
            "/openapi%2Eyaml",
            "/v1/status",
            "/v1/kv/BAD!/x",
            "/v1/admin/users",
            "/v1/kv/home/%C3")) {
      // A name for each path: who guesses one name again and again is told to wait instead.
      for (String login : List.of("", "guest" + path.length() + ":wrong password")) {
        HttpResponse<byte[]> refused = edge.get(login, path);
        assertThat(refused.statusCode()).as(path).isEqualTo(401);
        assertThat(refused.headers().firstValue("WWW-Authenticate").orElse(""))
            .startsWith("Basic realm=");
        assertThat(code(refused)).isEqualTo("unauthenticated");
      }
    }
  }

  @Test
  void i6_theLoginIsCheckedBeforeTheBodyIsRead() throws Exception {
    // The body is announced and never sent: whoever waits for it would not answer.
    try (Socket socket =
        EdgeFixture.trusting(edge.gateway.authority())
            .getSocketFactory()
            .createSocket(InetAddress.getLoopbackAddress(), edge.gateway.rest().port())) {
      socket.setSoTimeout(Patience.MILLIS);
      socket
          .getOutputStream()
          .write(
              String.join(
                      "\r\n",
                      "PUT /v1/kv/home/x HTTP/1.1",
                      "Host: localhost",
                      "Content-Length: 1000",
                      "Expect: 100-continue",
                      "\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
      byte[] answer = new byte[12];
      new DataInputStream(socket.getInputStream()).readFully(answer);
      assertThat(new String(answer, StandardCharsets.US_ASCII)).isEqualTo("HTTP/1.1 401");
    }
  }

  @Test
  void i8_plaintextIsRefused() throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), edge.gateway.rest().port())) {
      socket.setSoTimeout(Patience.MILLIS);
      OutputStream out = socket.getOutputStream();
      out.write(
          "GET /v1/kv/home/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
              .getBytes(StandardCharsets.US_ASCII));
      out.flush();
      byte[] answer;
      try {
        answer = socket.getInputStream().readAllBytes();
      } catch (IOException e) {
        answer = new byte[0];
      }
      assertThat(new String(answer, StandardCharsets.ISO_8859_1)).doesNotContain("HTTP/1.1");
    }
  }

  @Test
  void i28_rightsAreThoseOfUserAndSpace() throws Exception {
    edge.put(ANN, "/v1/kv/home/shared", "x");
    assertThat(text(edge.get(BOB, "/v1/kv/home/shared"))).isEqualTo("x");
    for (HttpResponse<byte[]> refused :
        List.of(
            edge.put(BOB, "/v1/kv/home/shared", "y"),
            edge.delete(BOB, "/v1/kv/home/shared"),
            edge.post(BOB, "/v1/kv/home/batch", "[{\"op\":\"delete\",\"key\":\"shared\"}]"),
            edge.get(BOB, "/v1/kv/garden/x"),
            edge.get(BOB, "/v1/kv/garden"),
            edge.get(BOB, "/v1/kv/garden/x/history"),
            edge.get(BOB, "/v1/kv/garden/x/proof"),
            edge.get(ANN, "/v1/admin/users"),
            edge.get(ANN, "/v1/kv/attic/x"))) {
      assertThat(refused.statusCode()).as(refused.uri().getPath()).isEqualTo(403);
      assertThat(code(refused)).isEqualTo("denied");
    }
    assertThat(text(edge.get(ANN, "/v1/kv/home/shared"))).isEqualTo("x");
  }

  @Test
  void aChangeOfRightsHoldsWithTheNextRequest() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      admin.add("cat", "nine lives".getBytes(StandardCharsets.UTF_8), List.of());
      assertThat(edge.get("cat:nine lives", "/v1/kv/home").statusCode()).isEqualTo(403);
      admin.grant("cat", List.of(new EdgeAdmin.Right("*", "read")));
      assertThat(edge.get("cat:nine lives", "/v1/kv/home").statusCode()).isEqualTo(200);
      admin.password("cat", "eight lives".getBytes(StandardCharsets.UTF_8));
      assertThat(edge.get("cat:nine lives", "/v1/kv/home").statusCode()).isEqualTo(401);
      assertThat(edge.get("cat:eight lives", "/v1/kv/home").statusCode()).isEqualTo(200);
      admin.remove("cat");
      assertThat(edge.get("cat:eight lives", "/v1/kv/home").statusCode()).isEqualTo(401);
      assertThat(admin.users()).extracting(EdgeAdmin.User::name).doesNotContain("cat");
    }
  }

  /** Trap: keys not URL-encoded. */
  @Test
  void keysArePercentEncodedAndKeptAsTheyAre() throws Exception {
    Map<String, String> keys =
        Map.of(
            "a%2Fb", "a/b",
            "%C3%A4%20%E6%BC%A2", "ä 漢",
            "x%3Fy%23z%25", "x?y#z%",
            "a+b", "a+b",
            "%2E%2E", "..",
            "semi;colon=1", "semi;colon=1",
            "%F0%9F%9A%80", "\uD83D\uDE80");
    for (String path : keys.keySet()) {
      assertThat(edge.put(ANN, "/v1/kv/garden/" + path, keys.get(path)).statusCode())
          .as(path)
          .isEqualTo(201);
    }
    for (String path : keys.keySet()) {
      assertThat(text(edge.get(ANN, "/v1/kv/garden/" + path))).isEqualTo(keys.get(path));
    }
    List<String> listed = new ArrayList<>();
    for (Object one :
        (List<?>) Json.map(Json.read(edge.get(ANN, "/v1/kv/garden").body()), "list").get("keys")) {
      listed.add(Json.text(Json.map(one, "key"), "key"));
    }
    assertThat(listed).containsExactlyInAnyOrderElementsOf(keys.values());
    for (String bad : List.of("%C3", "%ED%A0%80", "", "k".repeat(1025))) {
      assertThat(edge.put(ANN, "/v1/kv/garden/" + bad, "x").statusCode())
          .as(bad)
          .isBetween(400, 404);
    }
  }

  /** Trap: a missing parameter answered 200. */
  @Test
  void whatIsMissingOrMeansNothingIsRefused() throws Exception {
    for (String path :
        List.of(
            "/v1/kv/home?limit=0",
            "/v1/kv/home?limit=x",
            "/v1/kv/home?limit=",
            "/v1/kv/home?lim=1",
            "/v1/kv/home?limit=1001",
            "/v1/kv/home?limit",
            "/v1/kv/home?limit=1&limit=2",
            "/v1/kv/home/x/history?before=",
            "/v1/kv/home/x/proof?disclose=",
            "/v1/kv/UPPER",
            "/v1/kv/")) {
      assertThat(edge.get(ANN, path).statusCode()).as(path).isEqualTo(400);
    }
    assertThat(edge.post(ANN, "/v1/devices", "{}").statusCode()).isEqualTo(400);
    assertThat(edge.post(ANN, "/v1/devices", "").statusCode()).isEqualTo(400);
    assertThat(edge.get(ANN, "/v1/kv/home/x/unknown").statusCode()).isEqualTo(404);
    assertThat(edge.get(ANN, "/v2/kv/home/x").statusCode()).isEqualTo(404);
  }

  @Test
  void conditionsCompareAndSet() throws Exception {
    String path = "/v1/kv/home/cas";
    assertThat(conditional(path, "If-Match", "*", "a").statusCode()).isEqualTo(412);
    HttpResponse<byte[]> first = conditional(path, "If-None-Match", "*", "a");
    assertThat(first.statusCode()).isEqualTo(201);
    assertThat(conditional(path, "If-None-Match", "*", "b").statusCode()).isEqualTo(412);
    HttpResponse<byte[]> second = conditional(path, "If-Match", etag(first), "b");
    assertThat(second.statusCode()).isEqualTo(204);
    HttpResponse<byte[]> stale = conditional(path, "If-Match", etag(first), "c");
    assertThat(stale.statusCode()).isEqualTo(412);
    assertThat(code(stale)).isEqualTo("precondition_failed");
    assertThat(text(edge.get(ANN, path))).isEqualTo("b");
    HttpResponse<byte[]> same =
        edge.send(edge.request(ANN, path).header("If-None-Match", etag(second)));
    assertThat(same.statusCode()).isEqualTo(304);
    assertThat(same.body()).isEmpty();
    for (String wrong : List.of("no quotes", "\"a\",", "\"a\" \"b\"", ",", "\"a")) {
      assertThat(conditional(path, "If-Match", wrong, "c").statusCode()).as(wrong).isEqualTo(400);
    }
    // A tag of somebody else may have a comma.
    assertThat(conditional(path, "If-Match", "\"a,b\", " + etag(second), "c").statusCode())
        .isEqualTo(204);
    assertThat(conditional(path, "If-Match", "\"a,b\"", "d").statusCode()).isEqualTo(412);
  }

  private static HttpResponse<byte[]> conditional(
      String path, String header, String value, String body) throws Exception {
    return edge.send(
        edge.request(ANN, path)
            .header(header, value)
            .PUT(HttpRequest.BodyPublishers.ofString(body)));
  }

  @Test
  void ofManyWhoCompareAndSetAtOnceOneWins() throws Exception {
    String path = "/v1/kv/home/race";
    List<Thread> threads = new ArrayList<>();
    List<Integer> answers = java.util.Collections.synchronizedList(new ArrayList<>());
    for (int i = 0; i < 16; i++) {
      String value = "v" + i;
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                try {
                  answers.add(conditional(path, "If-None-Match", "*", value).statusCode());
                } catch (Exception e) {
                  answers.add(-1);
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(answers).containsOnly(201, 412).containsOnlyOnce(201);
  }

  @Test
  void anIdempotencyKeyMakesARequestSafeToRepeat() throws Exception {
    String path = "/v1/kv/home/once";
    HttpResponse<byte[]> first = once(path, "key-1", "a");
    assertThat(first.statusCode()).isEqualTo(201);
    edge.put(ANN, path, "b");
    HttpResponse<byte[]> again = once(path, "key-1", "a");
    assertThat(again.statusCode()).isEqualTo(201);
    assertThat(etag(again)).isEqualTo(etag(first));
    assertThat(text(edge.get(ANN, path))).isEqualTo("b");
    HttpResponse<byte[]> other = once(path, "key-1", "c");
    assertThat(other.statusCode()).isEqualTo(422);
    assertThat(code(other)).isEqualTo("idempotency_key_reused");
    assertThat(once("/v1/kv/home/elsewhere", "key-1", "a").statusCode()).isEqualTo(422);
    HttpResponse<byte[]> onCondition =
        edge.send(
            edge.request(ANN, path)
                .header("Idempotency-Key", "key-1")
                .header("If-None-Match", "*")
                .PUT(HttpRequest.BodyPublishers.ofString("a")));
    assertThat(onCondition.statusCode()).isEqualTo(422);
  }

  private static HttpResponse<byte[]> once(String path, String key, String body) throws Exception {
    return edge.send(
        edge.request(ANN, path)
            .header("Idempotency-Key", key)
            .PUT(HttpRequest.BodyPublishers.ofString(body)));
  }

  @Test
  void aListGoesOnWhereItEnded() throws Exception {
    for (int i = 0; i < 7; i++) {
      edge.put(ANN, "/v1/kv/home/list%2F" + i, "v" + i);
    }
    List<String> found = new ArrayList<>();
    String after = "";
    for (int page = 0; page < 4; page++) {
      Map<?, ?> answer =
          Json.map(
              Json.read(
                  edge.get(
                          ANN,
                          "/v1/kv/home?prefix=list%2F&limit=3"
                              + (after.isEmpty() ? "" : "&after=" + after.replace("/", "%2F")))
                      .body()),
              "list");
      for (Object one : (List<?>) answer.get("keys")) {
        found.add(Json.text(Json.map(one, "key"), "key"));
      }
      if (answer.get("next") == null) {
        break;
      }
      after = Json.text(answer, "next");
    }
    assertThat(found)
        .containsExactly("list/0", "list/1", "list/2", "list/3", "list/4", "list/5", "list/6");
  }

  @Test
  void theHistoryOfAKeyIsNewestFirst() throws Exception {
    String path = "/v1/kv/home/past";
    edge.put(ANN, path, "1");
    edge.delete(ANN, path);
    edge.put(ANN, path, "333");
    List<?> versions =
        (List<?>)
            Json.map(Json.read(edge.get(BOB, path + "/history").body()), "history").get("versions");
    assertThat(versions).hasSize(3);
    assertThat(versions)
        .extracting(one -> Json.text(Json.map(one, "v"), "op"))
        .containsExactly("put", "delete", "put");
    assertThat(versions)
        .extracting(one -> String.valueOf(Json.map(one, "v").get("size")))
        .containsExactly("3", "null", "1");
    assertThat(edge.get(ANN, "/v1/kv/home/never/history").statusCode()).isEqualTo(404);
  }

  @Test
  void theProofOfAValueHoldsWithoutTheEdge() throws Exception {
    edge.put(ANN, "/v1/kv/home/proven", "evidence");
    byte[] sealed = edge.get(BOB, "/v1/kv/home/proven/proof").body();
    OfflineProof.verify(sealed);
    byte[] open = edge.get(BOB, "/v1/kv/home/proven/proof?disclose=true").body();
    OfflineProof.verify(open);
    assertThat(sealed.length).isLessThan(open.length);
    open[open.length / 2] ^= 1;
    assertThatThrownBy(() -> OfflineProof.verify(open)).isInstanceOf(Exception.class);
  }

  @Test
  void whatIsTooLargeIsRefusedBeforeThereIsRoomForIt() throws Exception {
    byte[] most = new byte[1 << 20];
    new Random(1).nextBytes(most);
    HttpResponse<byte[]> fits =
        edge.send(
            edge.request(ANN, "/v1/kv/home/large")
                .PUT(HttpRequest.BodyPublishers.ofByteArray(most)));
    assertThat(fits.statusCode()).isEqualTo(201);
    assertThat(edge.get(ANN, "/v1/kv/home/large").body()).isEqualTo(most);
    // What is announced and never sent: whoever waits for it, or makes room for it, does not
    // answer.
    assertThat(announced("PUT /v1/kv/home/larger", (1 << 20) + 1)).isEqualTo("HTTP/1.1 413");
    assertThat(announced("POST /v1/kv/home/batch", 1 << 30)).isEqualTo("HTTP/1.1 413");
    HttpResponse<byte[]> streamed =
        edge.send(
            edge.request(ANN, "/v1/kv/home/larger")
                .PUT(
                    HttpRequest.BodyPublishers.ofInputStream(
                        () -> new java.io.ByteArrayInputStream(new byte[(1 << 20) + 1]))));
    assertThat(streamed.statusCode()).isEqualTo(413);
    assertThat(edge.get(ANN, "/v1/kv/home/larger").statusCode()).isEqualTo(404);
  }

  /** The beginning of the answer to a request whose body does not come. */
  private static String announced(String what, int bytes) throws Exception {
    try (Socket socket =
        EdgeFixture.trusting(edge.gateway.authority())
            .getSocketFactory()
            .createSocket(InetAddress.getLoopbackAddress(), edge.gateway.rest().port())) {
      socket.setSoTimeout(Patience.MILLIS);
      String request =
          String.join(
              "\r\n",
              what + " HTTP/1.1",
              "Host: localhost",
              "Authorization: " + EdgeFixture.basic(ANN),
              "Content-Length: " + bytes,
              "\r\n");
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      byte[] answer = new byte[12];
      new DataInputStream(socket.getInputStream()).readFully(answer);
      return new String(answer, StandardCharsets.US_ASCII);
    }
  }

  /**
   * On a connection that is kept, bytes behind the headers of an answer to HEAD would be read as
   * the next answer.
   */
  @Test
  void anErrorAnswersHeadWithoutABodyAndTheNextAnswerIsInStep() throws Exception {
    edge.put(ANN, "/v1/kv/home/stepped", "in step");
    try (Socket socket =
        EdgeFixture.trusting(edge.gateway.authority())
            .getSocketFactory()
            .createSocket(InetAddress.getLoopbackAddress(), edge.gateway.rest().port())) {
      socket.setSoTimeout(Patience.MILLIS);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      for (String missing : List.of("/v1/kv/home/none", "/v1/nothing", "/openapi.yaml")) {
        ask(socket, "HEAD " + missing);
        List<String> refused = headers(in);
        assertThat(refused.getFirst()).matches("HTTP/1.1 40[45] .*");
        assertThat(refused).anyMatch(line -> line.matches("(?i)content-length: [1-9]\\d*"));
        ask(socket, "GET /v1/kv/home/stepped");
        List<String> found = headers(in);
        assertThat(found.getFirst()).startsWith("HTTP/1.1 200");
        byte[] value = new byte["in step".length()];
        in.readFully(value);
        assertThat(new String(value, StandardCharsets.US_ASCII)).isEqualTo("in step");
      }
    }
  }

  private static void ask(Socket socket, String what) throws IOException {
    String request =
        String.join(
            "\r\n",
            what + " HTTP/1.1",
            "Host: localhost",
            "Authorization: " + EdgeFixture.basic(ANN),
            "\r\n");
    socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
  }

  /** The first line of an answer and its headers. */
  private static List<String> headers(DataInputStream in) throws IOException {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    while (true) {
      char next = (char) in.readUnsignedByte();
      if (next != '\n') {
        line.append(next);
      } else if (line.toString().isBlank()) {
        return lines;
      } else {
        lines.add(line.toString().strip());
        line.setLength(0);
      }
    }
  }

  @Test
  void aRightThatCannotBeIsRefusedAsTheMistakeThatItIs() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      for (EdgeAdmin.Right wrong :
          List.of(
              new EdgeAdmin.Right("home", "admin"),
              new EdgeAdmin.Right("Home", "write"),
              new EdgeAdmin.Right("home", "wriet"))) {
        assertThatThrownBy(() -> admin.grant("bob", List.of(wrong)))
            .isInstanceOfSatisfying(
                HoldfastException.class,
                e -> assertThat(e.code()).as(wrong.toString()).isEqualTo(ErrorCode.INVALID));
      }
      assertThat(admin.users())
          .filteredOn(user -> user.name().equals("bob"))
          .containsExactly(new EdgeAdmin.User("bob", List.of(new EdgeAdmin.Right("home", "read"))));
    }
  }

  @Test
  void theInterfaceDescribesItself() throws Exception {
    assertThat(edge.put("", "/openapi.yaml", "x").statusCode()).isEqualTo(405);
    HttpResponse<byte[]> description = edge.get("", "/openapi.yaml");
    assertThat(description.statusCode()).isEqualTo(200);
    for (String path :
        List.of(
            "/v1/kv/{space}/{key}:",
            "/v1/kv/{space}/batch:",
            "/v1/kv/{space}:",
            "/v1/kv/{space}/{key}/history:",
            "/v1/kv/{space}/{key}/proof:",
            "/v1/kv/{space}/watch:",
            "/v1/devices:",
            "/v1/devices/{device}/batches:",
            "/v1/status:",
            "/v1/admin/users/{user}:",
            "/openapi.yaml:")) {
      assertThat(text(description)).contains("\n  " + path);
    }
  }
}
