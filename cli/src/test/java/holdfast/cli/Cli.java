package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Runs commands in this process, with a home of its own. */
final class Cli {
  final Path home;

  /** Whether results go to a terminal. */
  boolean shown;

  final Map<String, String> environment = new HashMap<>();

  Cli(Path home) {
    this.home = home;
    environment.put("HOLDFAST_HOME", home.toString());
  }

  Cli(Path home, Node server) {
    this(home);
    use(server);
  }

  void use(Node server) {
    environment.put("HOLDFAST_SERVER", server.endpoint().toString());
  }

  static Node serve(Path data) {
    return serve(data, 0);
  }

  /** A server at a port, so that it, or another one, can come back there; 0 for any. */
  static Node serve(Path data, int port) {
    Endpoint at = new Endpoint("127.0.0.1", port);
    return Node.start(NodeOptions.of(data, at, new Endpoint("127.0.0.1", 0), Set.of()));
  }

  /** What a command did. */
  record Ran(int exitCode, Bytes bytes, String err) {
    String out() {
      return bytes.toUtf8();
    }

    String line() {
      return out().strip();
    }

    List<String> lines() {
      return out().lines().toList();
    }

    Ran failsWith(int expected) {
      assertThat(exitCode).as(err + out()).isEqualTo(expected);
      return this;
    }
  }

  Ran run(String... args) {
    return input("", args);
  }

  Ran input(String input, String... args) {
    return input(input.getBytes(UTF_8), args);
  }

  Ran input(byte[] input, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal terminal =
        new Terminal(out, err, new ByteArrayInputStream(input), environment, false, shown);
    int exitCode = Main.run(terminal, args);
    return new Ran(exitCode, Bytes.wrap(out.toByteArray()), err.toString(UTF_8));
  }

  /** Runs a command that must succeed. */
  String ok(String... args) {
    return run(args).failsWith(0).line();
  }

  /** Runs a command with --json that must succeed and returns its first object. */
  @SuppressWarnings("unchecked")
  Map<String, Object> json(String... args) {
    String[] all = java.util.Arrays.copyOf(args, args.length + 1);
    all[args.length] = "--json";
    List<String> lines = run(all).failsWith(0).lines();
    List<Map<String, Object>> objects =
        lines.stream().map(line -> (Map<String, Object>) TestJson.parse(line)).toList();
    return objects.getFirst();
  }

  String key(String name) {
    String file = home.resolveSibling(home.getFileName() + "-" + name + ".pem").toString();
    ok("key", "new", file);
    return file;
  }
}
