package holdfast.node;

import holdfast.net.Endpoint;
import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import io.helidon.webserver.WebServer;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/** The HTTP port: {@code /livez}, {@code /readyz} and {@code /metrics}. */
final class HttpPort implements AutoCloseable {
  // Helidon logs through the JDK; its account of starting and stopping is of no use here.
  private static final Logger HELIDON = Logger.getLogger("io.helidon");

  private final WebServer server;

  private HttpPort(WebServer server) {
    this.server = server;
  }

  static HttpPort listen(Endpoint endpoint, Metrics metrics, BooleanSupplier ready) {
    HELIDON.setLevel(Level.WARNING);
    WebServer server =
        WebServer.builder()
            .host(endpoint.host())
            .port(endpoint.port())
            .shutdownHook(false)
            .routing(routing ->
                routing
                    .get("/livez", (request, response) -> response.send("ok\n"))
                    .get(
                        "/readyz",
                        (request, response) -> {
                          boolean up = ready.getAsBoolean();
                          response
                              .status(up ? Status.OK_200 : Status.SERVICE_UNAVAILABLE_503)
                              .send(up ? "ready\n" : "not writable\n");
                        })
                    .get(
                        "/metrics",
                        (request, response) ->
                            response
                                .header(
                                    HeaderNames.CONTENT_TYPE,
                                    "text/plain; version=0.0.4; charset=utf-8")
                                .send(metrics.scrape())))
            .build()
            .start();
    return new HttpPort(server);
  }

  int port() {
    return server.port();
  }

  @Override
  public void close() {
    server.stop();
  }
}
