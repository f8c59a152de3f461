package holdfast.edge;

import holdfast.edge.site.SiteTls;
import holdfast.net.Endpoint;
import io.helidon.common.tls.Tls;
import io.helidon.common.tls.TlsClientAuth;
import io.helidon.http.encoding.ContentEncodingContext;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http1.Http1Config;
import java.time.Duration;
import java.util.logging.Level;
import java.util.logging.Logger;

/** The port of the REST interface: HTTP/1.1 and 2 over TLS 1.3 or 1.2, and nothing in the clear. */
final class RestPort implements AutoCloseable {
  // Helidon logs through the JDK; its account of starting and stopping is of no use here.
  private static final Logger HELIDON = Logger.getLogger("io.helidon");
  private static final Duration READ_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration IDLE_TIMEOUT = Duration.ofMinutes(5);
  private static final int MOST_HEADER_BYTES = 16 << 10;
  private static final int MOST_PROLOGUE_BYTES = 8 << 10;

  private final WebServer server;
  private final WatchRoute watch;
  private final Endpoint endpoint;

  private RestPort(WebServer server, WatchRoute watch, Endpoint endpoint) {
    this.server = server;
    this.watch = watch;
    this.endpoint = endpoint;
  }

  static RestPort listen(EdgeOptions options, Edge edge, SiteTls tls) {
    HELIDON.setLevel(Level.SEVERE);
    WatchRoute watch = new WatchRoute(edge, options.watches());
    Rest rest = new Rest(edge, tls, watch, options.queueBytes());
    WebServer server =
        WebServer.builder()
            .host(options.rest().host())
            .port(options.rest().port())
            .shutdownHook(false)
            .shutdownGracePeriod(Duration.ofSeconds(3))
            .maxTcpConnections(options.connections())
            .idleConnectionTimeout(IDLE_TIMEOUT)
            .connectionOptions(socket -> socket.readTimeout(READ_TIMEOUT).tcpNoDelay(true))
            .tls(
                Tls.builder()
                    .sslContext(tls.context())
                    .addEnabledProtocol("TLSv1.3")
                    .addEnabledProtocol("TLSv1.2")
                    .clientAuth(
                        tls.takesCertificates() ? TlsClientAuth.OPTIONAL : TlsClientAuth.NONE)
                    .build())
            .addProtocol(
                Http1Config.builder()
                    .maxHeadersSize(MOST_HEADER_BYTES)
                    .maxPrologueLength(MOST_PROLOGUE_BYTES)
                    .build())
            .contentEncoding(
                ContentEncodingContext.builder()
                    .contentEncodingsDiscoverServices(false)
                    .addContentEncoding(new PackedBodies())
                    .build())
            .routing(routing -> routing.any(rest))
            .build()
            .start();
    return new RestPort(server, watch, new Endpoint(options.rest().host(), server.port()));
  }

  Endpoint endpoint() {
    return endpoint;
  }

  @Override
  public void close() {
    watch.stop();
    server.stop();
  }
}
