package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.BOB;
import static holdfast.edge.EdgeFixture.text;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.RecordHeader;
import holdfast.store.DerivedTable;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** I19, I29: what was acknowledged is there after a restart, with the view or without it. */
class RestartTest {
  @TempDir Path data;

  private static List<String> answers(EdgeFixture edge) throws Exception {
    List<String> answers = new ArrayList<>();
    for (String path :
        List.of(
            "/v1/kv/home",
            "/v1/kv/garden?limit=2",
            "/v1/kv/home/a",
            "/v1/kv/home/a/history",
            "/v1/kv/home/b",
            "/v1/kv/home/b/history",
            "/v1/kv/garden/k3")) {
      HttpResponse<byte[]> response = edge.get(ANN, path);
      answers.add(response.statusCode() + " " + text(response));
    }
    try (EdgeAdmin admin = edge.admin()) {
      answers.add(admin.users().toString());
    }
    return answers;
  }

  @Test
  void i19_theAnswersAreTheSameAfterARestartAndAfterTheViewIsDeleted() throws Exception {
    try (EdgeFixture edge = EdgeFixture.start(data)) {
      edge.put(ANN, "/v1/kv/home/a", "1");
      edge.put(ANN, "/v1/kv/home/a", "2");
      edge.put(ANN, "/v1/kv/home/b", "x");
      edge.delete(ANN, "/v1/kv/home/b");
      for (int i = 0; i < 5; i++) {
        edge.put(ANN, "/v1/kv/garden/k" + i, "v" + i);
      }
      once(edge, "once", "first");
      List<String> before = answers(edge);
      edge.restart(() -> {});
      assertThat(answers(edge)).isEqualTo(before);
      edge.put(ANN, "/v1/kv/garden/k3", "after");
      List<String> later = answers(edge);
      edge.restart(() -> DerivedTable.delete(data.resolve("view")));
      assertThat(answers(edge)).isEqualTo(later);
      // What answers an idempotency key is in the capsule too.
      assertThat(once(edge, "once", "first")).isEqualTo(201);
      assertThat(once(edge, "once", "second")).isEqualTo(422);
      edge.put(ANN, "/v1/kv/home/a", "3");
      assertThat(text(edge.get(BOB, "/v1/kv/home/a"))).isEqualTo("3");
    }
  }

  private static int once(EdgeFixture edge, String key, String body) throws Exception {
    return edge.send(
            edge.request(ANN, "/v1/kv/home/once")
                .header("Idempotency-Key", key)
                .PUT(HttpRequest.BodyPublishers.ofString(body)))
        .statusCode();
  }

  /** Trap: rewriting a whole file per write. */
  @Test
  void i29_aSmallWriteIsSmallHoweverMuchThereIs() throws Exception {
    try (EdgeFixture edge = EdgeFixture.start(data)) {
      byte[] large = new byte[1 << 20];
      new Random(1).nextBytes(large);
      for (int i = 0; i < 8; i++) {
        assertThat(
                edge.send(
                        edge.request(ANN, "/v1/kv/home/large" + i)
                            .PUT(HttpRequest.BodyPublishers.ofByteArray(large)))
                    .statusCode())
            .isEqualTo(201);
      }
      // What was gathered in memory goes to the disk once in a minute, perhaps in one of these.
      long least = Long.MAX_VALUE;
      for (int round = 0; round < 3; round++) {
        long before = written();
        for (int i = 0; i < 10; i++) {
          edge.put(ANN, "/v1/kv/home/small", "v" + round + i);
        }
        least = Math.min(least, written() - before);
      }
      assertThat(least).isLessThan(1 << 20);
      Map<String, Long> sizes = sizes();
      assertThat(sizes.values().stream().mapToLong(Long::longValue).sum()).isGreaterThan(8L << 20);
    }
  }

  /** Bytes that this process has handed to files and sockets. */
  private static long written() throws Exception {
    return Files.readAllLines(Path.of("/proc/self/io")).stream()
        .filter(line -> line.startsWith("wchar:"))
        .mapToLong(line -> Long.parseLong(line.substring(6).strip()))
        .sum();
  }

  private Map<String, Long> sizes() throws Exception {
    Map<String, Long> sizes = new HashMap<>();
    try (Stream<Path> files = Files.walk(data.resolve("node"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        sizes.put(file.toString(), Files.size(file));
      }
    }
    return sizes;
  }

  /**
   * A restored capsule may hold its records in any order; the links tell which is the right one.
   */
  @Test
  void recordsAreOrderedByTheirLinks() {
    Random random = new Random(7);
    List<RecordHeader> chain = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      // With the short cuts that records have: all of what is pointed at comes first.
      List<Hash> before = new ArrayList<>();
      for (int back = 1; back <= i; back *= 4) {
        before.add(chain.get(i - back).name());
      }
      chain.add(
          RecordHeader.of(
              Hash.ZERO, 0, 1000 - i, 0, new byte[16], i, Hash.ZERO, Hash.ZERO, 1, 17, before));
    }
    List<Hash> names = chain.stream().map(RecordHeader::name).toList();
    for (int round = 0; round < 20; round++) {
      List<RecordHeader> shuffled = new ArrayList<>(chain);
      Collections.shuffle(shuffled, random);
      Map<Hash, RecordHeader> headers = new java.util.LinkedHashMap<>();
      shuffled.forEach(header -> headers.put(header.name(), header));
      assertThat(EdgeCapsule.ordered(headers)).isEqualTo(names);
    }
  }
}
