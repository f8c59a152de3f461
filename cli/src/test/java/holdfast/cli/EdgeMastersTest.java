package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.crypto.SigningKey;
import holdfast.edge.EdgeFolder;
import holdfast.node.Node;
import holdfast.node.heartbeat.EdgeState;
import holdfast.node.replication.Backlog;
import holdfast.testkit.Patience;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An edge and its master, by their commands alone. */
@Timeout(Patience.TEST_SECONDS)
class EdgeMastersTest {
  @TempDir Path scratch;

  private static void eventually(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + Patience.NANOS;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("did not come true in time: " + what);
      }
      LockSupport.parkNanos(10_000_000);
    }
  }

  /** {@code edge up} in a thread, until it is closed. */
  private record Running(Thread thread) implements AutoCloseable {
    static Running up(Cli cli) {
      Path admin = cli.home.resolve("edge/admin");
      Thread thread =
          Thread.ofPlatform()
              .start(() -> cli.run("edge", "up", "--port", "0", "--no-mqtt", "--name", "kitchen"));
      eventually("the edge is up", () -> Files.exists(admin) || !thread.isAlive());
      return new Running(thread);
    }

    @Override
    public void close() {
      thread.interrupt();
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> backup(Cli cli) {
    return (Map<String, Object>) cli.json("edge", "status").get("backup");
  }

  private static void wipe(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  /** A member of the placement that says of itself that it is the edge, to another. */
  @Test
  void aMasterThatSpeaksAsTheEdgeIsNotTakenForIt() throws Exception {
    Cli cli = new Cli(scratch.resolve("home"));
    try (Node master = Cli.serve(scratch.resolve("master"));
        Node liar = Cli.serve(scratch.resolve("liar"));
        Running _ = Running.up(cli)) {
      String at = master.endpoint().toString();
      cli.json("edge", "place", "--on", at + "," + liar.endpoint());
      Hash capsule = Hash.parse((String) cli.json("edge", "status").get("capsule"));
      liar.speakAsEdge(
          () -> new EdgeState("kitchen", capsule, 4711, Backlog.NONE),
          SigningKey.generate(new SecureRandom()));
      eventually(
          "the master has heard the liar",
          () ->
              master.peers(capsule).stream()
                  .anyMatch(peer -> peer.getSaid().getEdge().getRecords() == 4711));
      eventually(
          "the master has heard the edge",
          () -> cli.json("master", "list", "--server", at).get("edgeRecords") != null);
      assertThat(cli.json("master", "list", "--server", at))
          .containsEntry("state", "up")
          .doesNotContainEntry("edgeRecords", 4711.0);
    }
  }

  @Test
  void i20I23I24AnEdgeIsPlacedShownExportedAndRestored() throws Exception {
    Cli cli = new Cli(scratch.resolve("home"));
    Path password = Files.writeString(scratch.resolve("password"), "a long password\n");
    try (Node master = Cli.serve(scratch.resolve("master"))) {
      String at = master.endpoint().toString();
      String capsule;
      try (Running _ = Running.up(cli)) {
        assertThat(cli.ok("edge", "status")).contains("no master keeps it");
        cli.ok(
            "edge",
            "user",
            "add",
            "ann",
            "--grant",
            "home=write",
            "--password-file",
            password.toString());
        devicesAreRevokedAndReadmitted(cli, password);
        cli.run("edge", "place", "--on", at, "--copies", "2").failsWith(2);
        assertThat(cli.json("edge", "place", "--on", at)).containsEntry("complete", true);
        assertThat(cli.ok("edge", "place", "--on", at)).contains("Placed so already");
        eventually("backed up", () -> backup(cli).get("backlogRecords").equals(0.0));
        assertThat(backup(cli)).containsEntry("copies", 1.0);
        eventually(
            "the master has heard the edge",
            () -> "up".equals(cli.json("master", "list", "--server", at).get("state")));
        assertThat(cli.ok("edge", "status")).contains("waiting nothing to be on 1 of 1 masters");
        capsule = (String) cli.json("edge", "status").get("capsule");
        assertThat(cli.json("master", "show", "kitchen", "--server", at))
            .containsEntry("capsule", capsule)
            .containsKey("backlogRecords");
        // What the edge says was true when it said it.
        eventually(
            "the master knows that nothing waits",
            () ->
                cli.json("master", "show", "kitchen", "--server", at)
                    .get("backlogRecords")
                    .equals(0.0));
        cli.run("master", "show", "cellar", "--server", at).failsWith(1);
      }
      Path exported = scratch.resolve("kitchen.json");
      assertThat(
              cli.json(
                  "master",
                  "export",
                  "kitchen",
                  "--server",
                  at,
                  "--recovery-key",
                  "edge-operator",
                  "-o",
                  exported.toString()))
          .containsEntry("edge", "kitchen");
      Map<?, ?> json = (Map<?, ?>) TestJson.parse(Files.readString(exported, UTF_8).strip());
      assertThat(json.get("capsules")).isEqualTo(List.of(capsule));
      String stranger = cli.key("stranger");
      assertThat(
              cli.run("master", "export", "kitchen", "--server", at, "--recovery-key", stranger)
                  .failsWith(1)
                  .err())
          .contains("was not granted");

      wipe(cli.home.resolve("edge"));
      Map<String, Object> restored =
          cli.json(
              "edge",
              "restore",
              "--from",
              at,
              "--capsule",
              capsule,
              "--recovery-key",
              "edge-operator");
      assertThat(restored).containsEntry("edge", "kitchen").containsEntry("succeeded", true);
      assertThat(EdgeFolder.at(cli.home.resolve("edge")).capsule().toString())
          .isEqualTo(restored.get("capsule"));
      cli.run(
              "edge",
              "restore",
              "--from",
              at,
              "--capsule",
              capsule,
              "--recovery-key",
              "edge-operator")
          .failsWith(2);
      try (Running _ = Running.up(cli)) {
        assertThat(cli.ok("edge", "user", "list")).contains("ann");
        assertThat(cli.ok("edge", "device", "list")).contains("pump-1  enrolled");
        assertThat((List<?>) cli.json("master", "show", "kitchen", "--server", at).get("capsules"))
            .hasSize(2);
      }
    }
  }

  private void devicesAreRevokedAndReadmitted(Cli cli, Path password) {
    cli.run("edge", "device", "revoke", "pump-1").failsWith(1);
    Path edge = cli.home.resolve("edge");
    String[] reached = {
      "--queue", scratch.resolve("queue").toString(),
      "--edge", "https://" + EdgeFolder.at(edge).running().rest(),
      "--ca", edge.resolve("site/ca.pem").toString(),
      "--user", "ann",
      "--password-file", password.toString()
    };
    cli.ok(
        Stream.concat(Stream.of("device", "enrol", "pump-1"), Arrays.stream(reached))
            .toArray(String[]::new));
    assertThat(cli.json("edge", "device", "revoke", "pump-1")).containsEntry("done", "revoked");
    assertThat(cli.ok("edge", "device", "list")).contains("pump-1  revoked");
    cli.ok("edge", "device", "readmit", "pump-1");
    assertThat(cli.json("edge", "device", "list"))
        .containsEntry("device", "pump-1")
        .containsEntry("enrolled", true);
  }
}
