package holdfast.device;

import java.net.URI;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where an edge is and how it is spoken to.
 *
 * @param uri {@code https://host:port}, without a path
 * @param authority PEM file of the authorities whose certificates the edge may show; null for those
 *     of the JDK
 */
public record EdgeAddress(URI uri, @Nullable Path authority, EdgeLogin login) {
  /** The port of an edge. */
  public static final int DEFAULT_PORT = 7443;

  /** Refuses anything that would send a password in the clear. */
  public EdgeAddress {
    if (!"https".equals(uri.getScheme()) || uri.getHost() == null || uri.getUserInfo() != null) {
      throw new IllegalArgumentException("an edge is written https://host:port, not " + uri);
    }
    if (uri.getQuery() != null || !(uri.getPath().isEmpty() || uri.getPath().equals("/"))) {
      throw new IllegalArgumentException("an edge's address has no path: " + uri);
    }
    int port = uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort();
    uri = URI.create("https://" + uri.getHost() + ":" + port);
  }
}
