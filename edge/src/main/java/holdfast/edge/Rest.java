package holdfast.edge;

import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.edge.site.SiteTls;
import io.helidon.http.Header;
import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.Status;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The REST interface: docs/edge-format.md, section 5. Who asks is found out before anything else is
 * looked at, the path and the body included; only the description of the interface is for
 * everybody.
 */
final class Rest implements Handler {
  static final HeaderName IDEMPOTENCY_KEY = HeaderNames.create("Idempotency-Key");
  private static final String DESCRIPTION = "/openapi.yaml";

  static final Header NO_SNIFF = HeaderValues.createCached("X-Content-Type-Options", "nosniff");
  static final Header SANDBOX = HeaderValues.createCached("Content-Security-Policy", "sandbox");

  private static final Logger LOG = LoggerFactory.getLogger(Rest.class);
  private static final Header CHALLENGE =
      HeaderValues.createCached(
          HeaderNames.WWW_AUTHENTICATE, "Basic realm=\"Holdfast edge\", charset=\"UTF-8\"");
  private static final Header PROBLEM =
      HeaderValues.createCached(HeaderNames.CONTENT_TYPE, "application/problem+json");
  private static final Header YAML =
      HeaderValues.createCached(HeaderNames.CONTENT_TYPE, "application/yaml");

  private final Edge edge;
  private final SiteTls tls;
  private final KeyValueRoutes values;
  private final DeviceRoutes devices;
  private final AdminRoutes admin;
  private final byte[] description;
  private final BodyBudget bodies;

  /**
   * The interface of an edge.
   *
   * @param bodyBytes of all requests that are under way at once
   */
  Rest(Edge edge, SiteTls tls, WatchRoute watch, long bodyBytes) {
    this.bodies = new BodyBudget(bodyBytes);
    this.edge = edge;
    this.tls = tls;
    this.values = new KeyValueRoutes(edge, watch);
    this.devices = new DeviceRoutes(edge);
    this.admin = new AdminRoutes(edge);
    try (InputStream in = Rest.class.getResourceAsStream("openapi.yaml")) {
      if (in == null) {
        throw new IllegalStateException("openapi.yaml is not in the jar");
      }
      this.description = in.readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException("openapi.yaml cannot be read", e);
    }
  }

  static Problem unknownPath() {
    return new Problem(Problem.Code.NOT_FOUND, "nothing is at this path; see /openapi.yaml");
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) {
    try {
      if (request.prologue().uriPath().rawPath().equals(DESCRIPTION)) {
        describe(request, response);
        return;
      }
      ClientLogin login = login(request);
      try (Exchange exchange = new Exchange(login, request, response, bodies.share())) {
        route(exchange);
      }
    } catch (Problem problem) {
      refuse(request, response, problem);
    } catch (HoldfastException e) {
      LOG.info("{} failed: {}", request.prologue().method(), e.getMessage());
      refuse(request, response, Problem.of(e));
    } catch (IllegalArgumentException e) {
      refuse(request, response, Problem.invalid(String.valueOf(e.getMessage())));
    } catch (ProofException e) {
      LOG.error("the edge's own capsule does not hold", e);
      refuse(request, response, new Problem(Problem.Code.DAMAGED, "what is stored does not hold"));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      refuse(request, response, new Problem(Problem.Code.STOPPING, "the edge is stopping", 1));
    } catch (java.io.UncheckedIOException | IOException e) {
      // The client went away, or never read: there is nobody to tell.
      throw new io.helidon.webserver.CloseConnectionException("the client went away", e);
    } catch (io.helidon.webserver.CloseConnectionException e) {
      throw e;
    } catch (Exception e) {
      LOG.error("a request failed", e);
      refuse(
          request,
          response,
          new Problem(Problem.Code.INTERNAL, "the edge failed; its log says why"));
    }
  }

  private ClientLogin login(ServerRequest request) {
    String address =
        request.remotePeer().address() instanceof InetSocketAddress peer
            ? peer.getAddress().getHostAddress()
            : request.remotePeer().host();
    String header =
        request.headers().contains(HeaderNames.AUTHORIZATION)
            ? request.headers().get(HeaderNames.AUTHORIZATION).get()
            : null;
    // Asked for only where it counts: of a client that has shown none the JDK says so by throwing
    // an exception, which costs more than to know the login again.
    X509Certificate certificate =
        header == null ? shown(request.remotePeer().tlsCertificates()) : null;
    return ClientLogin.of(edge.logins(), tls, header, certificate, address);
  }

  /** The certificate that the client has shown; null when it has shown none. */
  private static @Nullable X509Certificate shown(Optional<Certificate[]> chain) {
    return chain.isPresent()
            && chain.get().length > 0
            && chain.get()[0] instanceof X509Certificate certificate
        ? certificate
        : null;
  }

  /** Says what the interface is; it is the same for every edge, and tells nothing of this one. */
  private void describe(ServerRequest request, ServerResponse response) {
    if (!request.prologue().method().text().equals("GET")) {
      response.header(HeaderNames.ALLOW, "GET");
      throw new Problem(Problem.Code.METHOD_NOT_ALLOWED, "here only GET is known");
    }
    response.header(YAML).send(description);
  }

  private void route(Exchange exchange) throws Exception {
    List<String> path = RawPath.segments(exchange.request.prologue().uriPath().rawPath());
    String first = path.getFirst();
    if (!first.equals("v1") || path.size() < 2) {
      throw unknownPath();
    }
    switch (path.get(1)) {
      case "kv" -> values.handle(exchange, path);
      case "devices" -> devices.handle(exchange, path);
      case "admin" -> admin.handle(exchange, path);
      case "status" -> {
        if (path.size() != 2) {
          throw unknownPath();
        }
        exchange.only("GET");
        exchange.json(status());
      }
      default -> throw unknownPath();
    }
  }

  private Json status() {
    String trouble = edge.flusher().trouble();
    View.Mark mark = edge.view().mark();
    Backup backup = edge.backup();
    return Json.object()
        .put("edge", edge.name())
        .put("capsule", edge.capsule().name())
        .put("identity", edge.node())
        .put("writable", trouble == null)
        .put("trouble", trouble)
        .put("record", mark.record())
        .put("changes", mark.number())
        .put("flushes", edge.flusher().flushes.sum())
        .put("unsettledErasures", edge.unsettledErasures())
        .put("clockTrouble", edge.clockTrouble())
        .put("certificateNotAfter", tls.certificate().getNotAfter().toInstant())
        .put("mqtt", edge.mqtt().json())
        .put("backup", backup == null ? null : backup.status().json());
  }

  private static void refuse(ServerRequest request, ServerResponse response, Problem problem) {
    boolean head = request.prologue().method().text().equals("HEAD");
    if (response.isSent()) {
      return;
    }
    response.status(Status.create(problem.code().status())).header(PROBLEM);
    if (problem.code() == Problem.Code.UNAUTHENTICATED) {
      response.header(CHALLENGE);
    }
    if (problem.retryAfterSeconds() > 0) {
      response.header(HeaderNames.RETRY_AFTER, String.valueOf(problem.retryAfterSeconds()));
    }
    byte[] detail = problem.detail().toBytes();
    if (head) {
      // Bytes behind the headers would be read as the beginning of the next answer.
      response.header(HeaderValues.create(HeaderNames.CONTENT_LENGTH, detail.length)).send();
      return;
    }
    response.send(detail);
  }
}
