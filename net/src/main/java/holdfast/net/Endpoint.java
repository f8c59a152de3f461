package holdfast.net;

import java.net.InetAddress;
import java.net.InetSocketAddress;

/** Where a server listens: host and port. */
public record Endpoint(String host, int port) {
  /** The data port when none is given. */
  public static final int DEFAULT_PORT = 7420;

  /** Checks the port. */
  public Endpoint {
    if (port < 0 || port > 65535) {
      throw new IllegalArgumentException("a port lies between 0 and 65535, not " + port);
    }
  }

  /** Parses {@code host}, {@code host:port} or {@code [v6]:port}. */
  public static Endpoint parse(String text) {
    int colon = text.lastIndexOf(':');
    if (colon < 0 || text.endsWith("]") || (text.indexOf(':') != colon && !text.startsWith("["))) {
      return new Endpoint(unbracketed(text), DEFAULT_PORT);
    }
    try {
      return new Endpoint(
          unbracketed(text.substring(0, colon)), Integer.parseInt(text.substring(colon + 1)));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("a server is written HOST:PORT, not " + text, e);
    }
  }

  private static String unbracketed(String host) {
    return host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
  }

  /**
   * Whether the host is this machine and cannot be reached from elsewhere. Only "localhost" and
   * literal addresses count: whoever answers for another name decides where it leads.
   */
  public boolean loopback() {
    if (host.equalsIgnoreCase("localhost")) {
      return true;
    }
    try {
      return InetAddress.ofLiteral(host).isLoopbackAddress();
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /** As a socket address. */
  public InetSocketAddress socketAddress() {
    return new InetSocketAddress(host, port);
  }

  @Override
  public String toString() {
    return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
  }
}
