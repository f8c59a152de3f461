package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.text;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Gen;
import holdfast.testkit.Patience;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is sent to it, an edge answers the next client. */
@Timeout(Patience.TEST_SECONDS)
class HostileRequestsTest {
  @TempDir static Path data;
  private static EdgeFixture edge;
  private static SSLContext tls;
  private final Gen gen = new Gen(Long.getLong("holdfast.fuzzSeed", 3));

  @BeforeAll
  static void start() throws Exception {
    edge = EdgeFixture.start(data, options -> EdgeFixture.withQueue(options, 16 << 20));
    tls = EdgeFixture.trusting(edge.gateway.authority());
    edge.put(ANN, "/v1/kv/home/alive", "yes");
  }

  @AfterAll
  static void stop() {
    edge.close();
  }

  @AfterEach
  void theEdgeIsStillThere() throws Exception {
    assertThat(text(edge.get(ANN, "/v1/kv/home/alive"))).isEqualTo("yes");
    assertThat(edge.put(ANN, "/v1/kv/home/alive2", "yes").statusCode()).isBetween(201, 204);
  }

  private static Socket open(boolean encrypted) throws IOException {
    int port = edge.gateway.rest().port();
    Socket socket =
        encrypted
            ? tls.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port)
            : new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(Patience.MILLIS);
    if (socket instanceof SSLSocket tlsSocket) {
      tlsSocket.startHandshake();
    }
    return socket;
  }

  /** Sends bytes and reads what comes until the other side ends or says nothing more. */
  private static String exchange(boolean encrypted, byte[] bytes) {
    StringBuilder answer = new StringBuilder();
    try (Socket socket = open(encrypted)) {
      socket.setSoTimeout(500);
      socket.getOutputStream().write(bytes);
      socket.getOutputStream().flush();
      InputStream in = socket.getInputStream();
      byte[] chunk = new byte[1000];
      for (int n = in.read(chunk); n >= 0 && answer.length() < 10_000; n = in.read(chunk)) {
        answer.append(new String(chunk, 0, n, ISO_8859_1));
      }
    } catch (IOException e) {
      // That the other side hangs up is an answer too.
      return answer.toString();
    }
    return answer.toString();
  }

  @Test
  void randomBytesBeforeAndInsideTlsDoNotKillIt() {
    for (int i = 0; i < 20; i++) {
      assertThat(exchange(false, gen.bytesUpTo(2000))).doesNotContain("200 OK");
      assertThat(exchange(true, gen.bytesUpTo(2000))).doesNotContain("200 OK");
    }
  }

  @Test
  void malformedRequestsAreRefusedAndNotWithAFailure() throws Exception {
    String login = "Authorization: " + EdgeFixture.basic(ANN) + "\r\n";
    for (String request :
        List.of(
            "GET /v1/kv/home/% HTTP/1.1\r\nHost: localhost\r\n",
            "GET /v1/kv/home/%2 HTTP/1.1\r\nHost: localhost\r\n",
            "GET /v1/kv/home/%zz HTTP/1.1\r\nHost: localhost\r\n",
            "GET /v1/kv/home/a b HTTP/1.1\r\nHost: localhost\r\n",
            "GET /v1/kv/home/a\u0000b HTTP/1.1\r\nHost: localhost\r\n",
            "GET  HTTP/1.1\r\nHost: localhost\r\n",
            "GET /v1/kv/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n",
            "PUT /v1/kv/home/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n",
            "PUT /v1/kv/home/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n",
            "GET /v1/kv/home/x?limit=%FF HTTP/1.1\r\nHost: localhost\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "a".repeat(40_000) + "\r\n")) {
      byte[] bytes = (request + login + "\r\nzzz\r\n").getBytes(ISO_8859_1);
      assertThat(firstLine(bytes)).as(request.substring(0, 30)).matches("HTTP/1.1 4\\d\\d.*");
    }
  }

  /** These get no answer: the other side hangs up, and has done nothing. */
  @Test
  void requestsThatCannotBeReadToTheirEndDoNothing() throws Exception {
    String login = "Host: localhost\r\nAuthorization: " + EdgeFixture.basic(ANN) + "\r\n";
    for (String request :
        List.of(
            "PUT /v1/kv/home/unread HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + login,
            "PUT /v1/kv/home/unread?" + "a".repeat(20_000) + " HTTP/1.1\r\n" + login)) {
      byte[] bytes = (request + "\r\nzzz\r\n").getBytes(ISO_8859_1);
      assertThat(firstLine(bytes)).as(request.substring(0, 30)).matches("|HTTP/1.1 4\\d\\d.*");
      assertThat(edge.get(ANN, "/v1/kv/home/unread").statusCode()).isEqualTo(404);
    }
  }

  /** The first line of the answer; empty when the other side hangs up without one. */
  private static String firstLine(byte[] bytes) throws IOException {
    StringBuilder line = new StringBuilder();
    try (Socket socket = open(true)) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(bytes);
      socket.getOutputStream().flush();
      // Nothing more comes: whoever waits for the rest of a body need not wait long.
      socket.shutdownOutput();
      InputStream in = socket.getInputStream();
      for (int next = in.read(); next >= 0 && next != '\r'; next = in.read()) {
        line.append((char) next);
      }
    }
    return line.toString();
  }

  @Test
  void anyBodyAtAnyEndpointIsAnsweredAndNotWithAFailure() throws Exception {
    List<String> paths =
        List.of(
            "/v1/kv/home/batch",
            "/v1/devices",
            "/v1/devices/x/batches",
            "/v1/admin/users/x",
            "/v1/admin/spaces/x",
            "/v1/admin/devices/x",
            "/v1/kv/home/fuzz",
            "/v1/status",
            "/v1/kv/home/x/history",
            "/v1/kv/home/x/proof",
            "/openapi.yaml",
            "/v1/kv/home/watch");
    List<byte[]> seeds =
        List.of(
            "[{\"op\":\"put\",\"key\":\"k\",\"value\":\"v\"}]".getBytes(ISO_8859_1),
            "{\"password\":\"12345678\",\"rights\":{\"home\":\"read\"}}".getBytes(ISO_8859_1),
            "{\"device\":\"d\",\"key\":\"00\",\"signature\":\"00\"}".getBytes(ISO_8859_1),
            "[".repeat(5000).getBytes(ISO_8859_1));
    for (String login : List.of(ANN, "")) {
      for (String path : paths) {
        for (String method : List.of("POST", "PUT", "DELETE", "GET", "OPTIONS", "TRACE")) {
          byte[] body =
              gen.oneIn(3)
                  ? gen.bytesUpTo(500)
                  : holdfast.testkit.Mutator.alter(gen.pick(seeds), seeds, gen);
          HttpRequest.Builder request =
              edge.request(login, path)
                  .method(method, HttpRequest.BodyPublishers.ofByteArray(body));
          if (path.endsWith("batches")) {
            request.header("Content-Type", "application/vnd.holdfast.batch");
          }
          HttpResponse<byte[]> response = edge.send(request);
          assertThat(response.statusCode()).as(method + " " + path).isLessThan(500);
          if (login.isEmpty() && !path.equals("/openapi.yaml")) {
            assertThat(response.statusCode()).isEqualTo(401);
          }
        }
      }
    }
  }

  /** A body that is announced and ends early must not be stored as if it were whole. */
  @Test
  void aBodyThatEndsEarlyIsNotStored() throws Exception {
    try (Socket socket = open(true)) {
      socket
          .getOutputStream()
          .write(
              ("PUT /v1/kv/home/half HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                      + EdgeFixture.basic(ANN)
                      + "\r\nContent-Length: 100\r\n\r\nonly this")
                  .getBytes(ISO_8859_1));
      socket.getOutputStream().flush();
      socket.shutdownOutput();
      socket.getInputStream().read();
    } catch (IOException e) {
      assertThat(e).isNotNull();
    }
    assertThat(edge.get(ANN, "/v1/kv/home/half").statusCode()).isEqualTo(404);
  }

  /** Each body is bounded, and there may be ten thousand of them. */
  @Test
  void bodiesUnderWayAreBoundedTogether() throws Exception {
    byte[] most = new byte[1 << 20];
    List<Socket> slow = new java.util.ArrayList<>();
    try {
      for (int i = 0; i < 20; i++) {
        Socket socket = open(true);
        slow.add(socket);
        socket
            .getOutputStream()
            .write(
                ("PUT /v1/kv/home/slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                        + EdgeFixture.basic(ANN)
                        + "\r\nContent-Length: "
                        + most.length
                        + "\r\n\r\n")
                    .getBytes(ISO_8859_1));
        try {
          // All but the end of it.
          socket.getOutputStream().write(most, 0, most.length - 1);
          socket.getOutputStream().flush();
        } catch (IOException refused) {
          assertThat(i).as("refused while there was room").isGreaterThan(10);
        }
      }
      HttpResponse<byte[]> busy = edge.put(ANN, "/v1/kv/home/more", "x".repeat(200_000));
      while (busy.statusCode() != 503) {
        busy = edge.put(ANN, "/v1/kv/home/more", "x".repeat(200_000));
      }
      assertThat(EdgeFixture.code(busy)).isEqualTo("busy");
      assertThat(busy.headers().firstValue("Retry-After")).hasValue("1");
    } finally {
      for (Socket socket : slow) {
        socket.close();
      }
    }
    // What was taken is given back.
    Site.eventually(
        "there is room again",
        () -> {
          try {
            return edge.put(ANN, "/v1/kv/home/more", "x".repeat(1 << 20)).statusCode() < 300;
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        });
  }

  @Test
  void clientsThatSayNothingDoNotKeepOthersOut() throws Exception {
    List<Socket> silent = new java.util.ArrayList<>();
    try {
      for (int i = 0; i < 100; i++) {
        Socket socket = open(true);
        socket.getOutputStream().write("GET /v1/kv/home/x HTTP/1.1\r\nHost".getBytes(ISO_8859_1));
        silent.add(socket);
      }
      assertThat(text(edge.get(ANN, "/v1/kv/home/alive"))).isEqualTo("yes");
    } finally {
      for (Socket socket : silent) {
        socket.close();
      }
    }
  }

  /** The request after a refused one on the same connection is not taken for its body. */
  @Test
  void aRefusedBodyIsNotTheNextRequest() throws Exception {
    String smuggled =
        "DELETE /v1/kv/home/alive HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
            + EdgeFixture.basic(ANN)
            + "\r\n\r\n";
    try (Socket socket = open(true)) {
      socket
          .getOutputStream()
          .write(
              ("PUT /v1/kv/home/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                      + smuggled.length()
                      + "\r\n\r\n"
                      + smuggled)
                  .getBytes(ISO_8859_1));
      byte[] answer = new byte[12];
      new DataInputStream(socket.getInputStream()).readFully(answer);
      assertThat(new String(answer, ISO_8859_1)).isEqualTo("HTTP/1.1 401");
    }
  }
}
