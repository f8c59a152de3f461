package holdfast.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A server of others that ours is compared with, started for that and ended with it. */
final class Peer implements AutoCloseable {
  private static final long START_SECONDS = 20;
  private static final int LOOK_MILLIS = 50;

  private final Process process;
  private final int port;

  private Peer(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /**
   * nginx, which serves a small file over TLS with the certificate of an edge.
   *
   * @param folder an empty one
   * @param size of the file {@code /file}, in bytes
   */
  static Peer nginx(Path program, Path folder, EdgeProcess edge, int size) throws IOException {
    int port = freePort();
    Path files = Files.createDirectories(folder.resolve("files"));
    Files.writeString(files.resolve("file"), "v".repeat(size));
    Path settings = folder.resolve("nginx.conf");
    Files.writeString(
        settings,
        """
        USER
        daemon off;
        worker_processes auto;
        pid FOLDER/pid;
        error_log FOLDER/error.log warn;
        events { worker_connections 4096; }
        http {
          access_log off;
          client_body_temp_path FOLDER/body;
          proxy_temp_path FOLDER/proxy;
          fastcgi_temp_path FOLDER/fastcgi;
          uwsgi_temp_path FOLDER/uwsgi;
          scgi_temp_path FOLDER/scgi;
          open_file_cache max=100;
          keepalive_requests 100000000;
          tcp_nodelay on;
          sendfile on;
          server {
            listen 127.0.0.1:PORT ssl;
            ssl_certificate CERTIFICATE;
            ssl_certificate_key PRIVATE;
            ssl_protocols TLSv1.2 TLSv1.3;
            root FOLDER/files;
          }
        }
        """
            .replace("USER", root() ? "user root root;" : "")
            .replace("FOLDER", folder.toString())
            .replace("PORT", String.valueOf(port))
            .replace("CERTIFICATE", edge.certificate().toString())
            .replace("PRIVATE", edge.certificateKey().toString()));
    return started(
        List.of(
            program.toString(), "-p", folder.toString(), "-e", "stderr", "-c", settings.toString()),
        folder,
        port);
  }

  /**
   * Mosquitto, which speaks MQTT over TLS with the certificate of an edge and keeps nothing.
   *
   * @param folder an empty one
   */
  static Peer mosquitto(Path program, Path folder, EdgeProcess edge) throws IOException {
    int port = freePort();
    Path settings = folder.resolve("mosquitto.conf");
    Files.writeString(
        settings,
        """
        USER
        listener PORT 127.0.0.1
        certfile CERTIFICATE
        keyfile PRIVATE
        allow_anonymous true
        persistence false
        set_tcp_nodelay true
        log_type error
        """
            .replace("USER", root() ? "user root" : "")
            .replace("PORT", String.valueOf(port))
            .replace("CERTIFICATE", edge.certificate().toString())
            .replace("PRIVATE", edge.certificateKey().toString()));
    return started(List.of(program.toString(), "-c", settings.toString()), folder, port);
  }

  /** Servers that root starts become another user, who may not read our temporary folder. */
  private static boolean root() {
    return System.getProperty("user.name").equals("root");
  }

  private static Peer started(List<String> command, Path folder, int port) throws IOException {
    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    Peer peer = new Peer(process, port);
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
    while (!peer.answers()) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        peer.close();
        throw new IOException(
            command.getFirst() + " did not start:\n" + Files.readString(log).strip());
      }
    }
    return peer;
  }

  private boolean answers() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), LOOK_MILLIS);
      return true;
    } catch (IOException notYet) {
      return false;
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  int port() {
    return port;
  }

  ProcessHandle handle() {
    return process.toHandle();
  }

  /** Ends it, and what it has started. */
  @Override
  public void close() {
    List<ProcessHandle> workers = process.descendants().toList();
    process.destroy();
    try {
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    workers.forEach(ProcessHandle::destroyForcibly);
  }
}
