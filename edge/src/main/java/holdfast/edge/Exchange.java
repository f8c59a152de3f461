package holdfast.edge;

import io.helidon.common.buffers.DataReader;
import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/**
 * A request of somebody who is logged in, and what it is answered. To be closed when that is done:
 * its body counts until then.
 */
final class Exchange implements AutoCloseable {
  /** How long a body may take; with the time-out of a single read it bounds slow clients. */
  private static final long BODY_NANOS = TimeUnit.SECONDS.toNanos(60);

  private static final int CHUNK = 64 << 10;

  final ClientLogin client;
  final Login login;
  final String method;
  final ServerRequest request;
  final ServerResponse response;
  private final BodyBudget.Share bodies;

  Exchange(
      ClientLogin client, ServerRequest request, ServerResponse response, BodyBudget.Share bodies) {
    this.bodies = bodies;
    this.client = client;
    this.login = client.login();
    this.method = request.prologue().method().text();
    this.request = request;
    this.response = response;
  }

  @Override
  public void close() {
    bodies.close();
  }

  /** A header's value; null when it is not there. */
  @Nullable String header(HeaderName name) {
    return request.headers().contains(name) ? request.headers().get(name).values() : null;
  }

  Map<String, String> query(String... known) {
    return RawPath.query(request.prologue().query().rawValue(), List.of(known));
  }

  /** Refuses all methods but these. */
  void only(String... methods) {
    if (!List.of(methods).contains(method)) {
      response.header(HeaderNames.ALLOW, String.join(", ", methods));
      throw new Problem(
          Problem.Code.METHOD_NOT_ALLOWED, "here only " + String.join(", ", methods) + " is known");
    }
  }

  // ---- The body ---------------------------------------------------------------------------------

  /** The body, if it has no more bytes than allowed; announced sizes are believed only so far. */
  byte[] body(int most) {
    String coding = header(HeaderNames.CONTENT_ENCODING);
    if (coding != null && !coding.equalsIgnoreCase("identity")) {
      throw new Problem(Problem.Code.UNSUPPORTED, "a body here is not encoded");
    }
    return read(most, false);
  }

  /** The body, which may be compressed with gzip. */
  byte[] bodyMaybeGzip(int most) {
    String coding = header(HeaderNames.CONTENT_ENCODING);
    if (coding == null || coding.equalsIgnoreCase("identity")) {
      return read(most, false);
    }
    if (!coding.equalsIgnoreCase("gzip")) {
      throw new Problem(Problem.Code.UNSUPPORTED, "a body here is encoded with gzip or not at all");
    }
    return read(most, true);
  }

  private byte[] read(int most, boolean gzip) {
    long announced = request.headers().contentLength().orElse(-1);
    if (announced > most) {
      throw tooLarge(most);
    }
    if (!request.content().hasEntity()) {
      return new byte[0];
    }
    try (InputStream in = request.content().inputStream()) {
      return gzip ? unpack(read(in, most, announced), most) : read(in, most, announced);
    } catch (IOException e) {
      throw Problem.invalid("the body could not be read: " + e.getMessage());
    } catch (DataReader.InsufficientDataAvailableException | UncheckedIOException e) {
      // Whoever sent it has gone, or sent nothing for too long; on this connection nothing follows.
      throw new CloseConnectionException("the body did not come", e);
    }
  }

  private byte[] unpack(byte[] packed, int most) throws IOException {
    try (InputStream in = new GZIPInputStream(new java.io.ByteArrayInputStream(packed), CHUNK)) {
      return read(in, most, -1);
    }
  }

  private byte[] read(InputStream in, int most, long announced) throws IOException {
    long deadline = System.nanoTime() + BODY_NANOS;
    if (announced >= 0 && announced <= CHUNK) {
      bodies.take(announced);
      byte[] body = new byte[(int) announced];
      int got = 0;
      for (int n = 0; got < body.length && n >= 0; got += Math.max(0, n)) {
        n = in.read(body, got, body.length - got);
        requireTime(deadline);
      }
      if (got < body.length) {
        throw Problem.invalid("the body has fewer bytes than were announced");
      }
      return body;
    }
    // A chunk to read into, and the first of what grows.
    bodies.take(2 * CHUNK);
    int room = CHUNK;
    ByteArrayOutputStream body = new ByteArrayOutputStream(CHUNK);
    byte[] chunk = new byte[CHUNK];
    for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
      for (; room < body.size() + n; room += CHUNK) {
        bodies.take(CHUNK);
      }
      body.write(chunk, 0, n);
      if (body.size() > most) {
        throw tooLarge(most);
      }
      requireTime(deadline);
    }
    return body.toByteArray();
  }

  private static void requireTime(long deadline) {
    if (System.nanoTime() > deadline) {
      throw new Problem(Problem.Code.INVALID, "the body came too slowly");
    }
  }

  private static Problem tooLarge(int most) {
    return new Problem(Problem.Code.TOO_LARGE, "the body has more than " + most + " bytes");
  }

  // ---- The answer -------------------------------------------------------------------------------

  void json(Json object) {
    json(200, object);
  }

  void json(int status, Json object) {
    response
        .status(Status.create(status))
        .header(HeaderValues.CONTENT_TYPE_JSON)
        .send(object.toBytes());
  }

  void nothing(int status) {
    response.status(Status.create(status)).send();
  }
}
