package holdfast.device;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;

/** An edge that sends the first bytes of an answer, and then nothing more, without hanging up. */
final class SilentEdge implements AutoCloseable {
  static final String HEADERS = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n";
  static final String BODY = "{\"last\":12}";

  private final SSLServerSocket server;
  private final List<Socket> sockets = new ArrayList<>();
  private final Path authority;

  /** How many bytes of the answer are sent. */
  volatile int bytes;

  final AtomicInteger requests = new AtomicInteger();

  SilentEdge(Path folder) throws Exception {
    try (TestEdge edge = new TestEdge(folder, 0)) {
      authority = edge.authority;
    }
    char[] secret = "secret".toCharArray();
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(KeyStore.getInstance(TestEdge.certificate(folder).toFile(), secret), secret);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    server =
        (SSLServerSocket)
            context
                .getServerSocketFactory()
                .createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofPlatform().daemon().start(this::accept);
  }

  EdgeAddress address() {
    return new EdgeAddress(
        URI.create("https://127.0.0.1:" + server.getLocalPort()),
        authority,
        new EdgeLogin.Password(TestEdge.USER, TestEdge.PASSWORD));
  }

  private void accept() {
    while (true) {
      try {
        Socket socket = server.accept();
        synchronized (sockets) {
          sockets.add(socket);
        }
        Thread.ofPlatform().daemon().start(() -> answer(socket));
      } catch (IOException closed) {
        return;
      }
    }
  }

  private void answer(Socket socket) {
    try {
      // The head of a request without a body ends with an empty line.
      for (int end = 0; end != 0x0D0A0D0A; ) {
        int next = socket.getInputStream().read();
        if (next < 0) {
          return;
        }
        end = end << 8 | next;
      }
      requests.incrementAndGet();
      byte[] whole = (HEADERS + BODY).getBytes(StandardCharsets.US_ASCII);
      socket.getOutputStream().write(whole, 0, Math.min(bytes, whole.length));
      socket.getOutputStream().flush();
    } catch (IOException gone) {
      // The device has given up, as it should.
      return;
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    synchronized (sockets) {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }
}
