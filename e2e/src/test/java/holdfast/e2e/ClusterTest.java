package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.capsule.Statement;
import holdfast.client.Home;
import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code holdfast cluster} with real processes: started, killed, cut off and gone. */
class ClusterTest {
  private static final int PATIENCE_SECONDS = 120;

  private static final int RECORDS = 20;

  /** How long nothing has to come before a link counts as stalled. */
  private static final int QUIET_MILLIS = 500;

  @TempDir Path folder;

  /** What a command printed, and its exit code. */
  private record Ran(int exitCode, String out) {
    Ran expect(int expected) {
      assertThat(exitCode).as(out).isEqualTo(expected);
      return this;
    }
  }

  /** A line of {@code cluster status --json}. */
  private record Line(int node, String state, Endpoint server, VerifyKey identity, long pid) {
    private static final Pattern FORM =
        Pattern.compile(
            "\\{\"node\":(\\d),\"state\":\"([a-z ]+)\",\"server\":\"([^\"]+)\",\"httpPort\":\\d+,"
                + "\"identity\":\"([^\"]+)\",\"pid\":(null|\\d+),.*\\}");

    static Line parse(String text) {
      Matcher found = FORM.matcher(text);
      assertThat(found.matches()).as(text).isTrue();
      return new Line(
          Integer.parseInt(found.group(1)),
          found.group(2),
          Endpoint.parse(found.group(3)),
          VerifyKey.parse(found.group(4)),
          found.group(5).equals("null") ? -1 : Long.parseLong(found.group(5)));
    }
  }

  private Path home() {
    return folder.resolve("home");
  }

  private Ran run(String... arguments) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                "holdfast.cli.Main"));
    command.addAll(List.of(arguments));
    Path out = folder.resolve("out");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("HOLDFAST_"));
    builder.environment().put("HOLDFAST_HOME", home().toString());
    builder
        .environment()
        .put("HOLDFAST_JAVA_OPTS", "-XX:-UseParallelGC -XX:+UseSerialGC -XX:TieredStopAtLevel=1");
    Process process = builder.start();
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
    return new Ran(process.exitValue(), Files.readString(out).strip());
  }

  private List<Line> cluster(String... arguments) throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of("cluster"));
    all.addAll(List.of(arguments));
    all.add("--json");
    String out = run(all.toArray(String[]::new)).expect(0).out();
    return out.lines().map(Line::parse).toList();
  }

  /**
   * The nodes, once they are in these states. A node that is slow to say that it is ready counts as
   * not up in one look and as up in the next.
   */
  private List<Line> awaitStates(String... expected) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    List<Line> nodes = cluster("status");
    while (!nodes.stream().map(Line::state).toList().equals(List.of(expected))
        && System.nanoTime() < deadline) {
      nodes = cluster("status");
    }
    assertThat(nodes).extracting(Line::state).containsExactly(expected);
    return nodes;
  }

  /** Where what one node says to another goes. */
  private Endpoint link(int from, int to) throws IOException {
    Matcher found =
        Pattern.compile("\\[link\\." + from + "\\." + to + "]\nlisten = \"([^\"]+)\"")
            .matcher(Files.readString(home().resolve("cluster.toml")));
    assertThat(found.find()).isTrue();
    return Endpoint.parse(found.group(1));
  }

  private static boolean runs(long pid) {
    // What has ended and was not waited for by its parent has no command any more.
    return ProcessHandle.of(pid)
        .filter(process -> process.isAlive() && process.info().command().isPresent())
        .isPresent();
  }

  @AfterEach
  void leaveNothingBehind() throws Exception {
    if (Files.exists(home().resolve("cluster.toml"))) {
      run("cluster", "down").expect(0);
    }
  }

  @Test
  void d38NodesStartDieComeBackAndAreCutOff() throws Exception {
    cluster("up", "--nodes", "3", "--base-port", "0");
    List<Line> up = awaitStates("up", "up", "up");
    assertThat(up).extracting(Line::node).containsExactly(1, 2, 3);
    assertThat(up).allMatch(line -> runs(line.pid()));
    assertThat(up).extracting(Line::identity).doesNotHaveDuplicates();
    Home home = Home.at(home());
    assertThat(up)
        .allMatch(line -> home.pinned(line.server()).orElseThrow().equals(line.identity()));

    Workload workload = new Workload(1);
    Line second = up.get(1);
    try (Server server = connect(second)) {
      workload.create(server);
      workload.write(server, RECORDS);
      workload.place(server, up.stream().map(ClusterTest::member).toList());
    }
    cluster("kill", "2");
    awaitStates("up", "down", "up");
    assertThat(runs(second.pid())).isFalse();
    assertThat(runs(up.get(0).pid()) && runs(up.get(2).pid())).isTrue();

    cluster("restart", "2");
    Line restarted = awaitStates("up", "up", "up").get(1);
    assertThat(restarted.pid()).isNotEqualTo(second.pid());
    assertThat(restarted.identity()).isEqualTo(second.identity());
    try (Server server = connect(second)) {
      workload.expectAll(server, workload.promised());
    }

    cutOff(up, workload);

    long links =
        Long.parseLong(
            Files.readString(home().resolve("cluster/links/pid")).replaceFirst(" .*\n", ""));
    assertThat(runs(links)).isTrue();
    assertThat(run("cluster", "down", "--json").expect(0).out())
        .isEqualTo("{\"stopped\":4,\"deleted\":false}");
    assertThat(List.of(up.get(0).pid(), restarted.pid(), up.get(2).pid(), links))
        .noneMatch(ClusterTest::runs);
    assertThat(cluster("status")).extracting(Line::state).containsOnly("down");

    run("cluster", "down", "--delete").expect(0);
    assertThat(home().resolve("cluster")).doesNotExist();
    assertThat(home().resolve("cluster.toml")).doesNotExist();
  }

  private static Server connect(Line node) {
    return Server.at(node.server(), node.identity());
  }

  private static Statement.Placement.Member member(Line node) {
    return new Statement.Placement.Member(node.identity(), node.server().toString());
  }

  private static void awaitRecords(Workload workload, Server server, int count) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (workload.proven(server) < count) {
      assertThat(System.nanoTime()).as("%s records come", count).isLessThan(deadline);
      LockSupport.parkNanos(20_000_000);
    }
  }

  /**
   * What goes from node 1 to the others, and what is written to it, waits while they are cut off;
   * between the others, and from outside, nothing does.
   */
  private void cutOff(List<Line> nodes, Workload workload) throws Exception {
    Line third = nodes.get(2);
    try (Server first = connect(nodes.get(0));
        Server second = connect(nodes.get(1));
        Server overLink = Server.at(link(1, 3), third.identity());
        Server amongOthers = Server.at(link(2, 3), third.identity());
        ExecutorService thread = Executors.newVirtualThreadPerTaskExecutor()) {
      awaitRecords(workload, first, RECORDS);
      assertThat(overLink.status().getWritable()).isTrue();
      assertThat(run("cluster", "partition", "1", "2,3").expect(0).out())
          .containsPattern("1 +up +\\S+ +\\d+ +2, 3 ");
      workload.write(first, RECORDS);
      Future<Boolean> waits = thread.submit(() -> overLink.status().getWritable());
      assertThatThrownBy(() -> waits.get(QUIET_MILLIS, TimeUnit.MILLISECONDS))
          .isInstanceOf(TimeoutException.class);
      assertThat(amongOthers.status().getWritable()).isTrue();
      assertThat(workload.proven(second)).isEqualTo(RECORDS);
      run("cluster", "heal").expect(0);
      assertThat(waits.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
      awaitRecords(workload, second, 2 * RECORDS);
      workload.expectAll(second, workload.promised());
    }
  }
}
