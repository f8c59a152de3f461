package holdfast.node;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Backpointers;
import holdfast.client.CapsuleReader;
import holdfast.client.Cursor;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Subscription;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server with a rotten block goes on serving all that the block does not hold or prove. */
@Timeout(Patience.TEST_SECONDS)
class DamageTest {
  private static final int RECORDS = 600;
  private static final int VICTIM = 250;

  @TempDir Path folder;
  private NodeFixture fixture;
  private List<Hash> names;

  @BeforeEach
  void writeAndRot() throws Exception {
    fixture = NodeFixture.start(folder, options -> options.withScrubRate(0));
    names =
        fixture.append(
            RECORDS,
            WriterOptions.defaults()
                .withBatchRecords(50)
                .withLinks(new Backpointers.Strategy.Chain()));
    byte[] sealed;
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      sealed = ((ReadResult.Proven) reader.read(names.get(VICTIM))).record().body().leaf(0);
    }
    // Its ends may be told by the compression as repetitions of what stands before.
    fixture.restart(() -> rot(folder, Arrays.copyOfRange(sealed, 6, 18)));
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  /** Flips a bit of the block on disk in which some bytes lie. */
  static void rot(Path folder, byte[] pattern) {
    int found = 0;
    try (var files = Files.list(folder.resolve("db"))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".sst")).toList()) {
        int at =
            new String(Files.readAllBytes(file), ISO_8859_1)
                .indexOf(new String(pattern, ISO_8859_1));
        if (at >= 0) {
          found++;
          try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
            out.seek(at);
            int old = out.read();
            out.seek(at);
            out.write(old ^ 16);
          }
        }
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    assertThat(found).as("tables that hold the record").isPositive();
  }

  @Test
  void onlyWhatIsDamagedOrProvenThroughItIsRefused() throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      List<ReadResult> results = reader.readAll(names);
      List<Integer> damaged = new ArrayList<>();
      for (int i = 0; i < RECORDS; i++) {
        if (results.get(i) instanceof ReadResult.Damaged) {
          damaged.add(i);
        } else {
          assertThat(results.get(i)).as("record %d", i).isInstanceOf(ReadResult.Proven.class);
        }
      }
      assertThat(damaged).contains(VICTIM).hasSizeLessThan(RECORDS / 2);
      // All of it again, from what the cache has learnt: nothing else goes wrong.
      assertThat(reader.readAll(names)).hasSameSizeAs(results);
      assertThat(reader.status().getCapsule().getDamaged()).isPositive();
      assertThat(reader.status().getDamaged()).isPositive();
    }
    assertThat(metric("holdfast_damaged_records")).isPositive();
    assertThat(metric("holdfast_damaged_reads_total")).isPositive();
  }

  @Test
  void aPageCarriesTheOthersAndNamesWhatIsDamaged() throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      assertThat(reader.page(0, 100, true).records()).hasSize(100);
      assertThatThrownBy(() -> reader.page(0, RECORDS, true))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DAMAGED))
          .hasMessageContaining("records number 2");
      List<Hash> seen = new ArrayList<>();
      int told = 0;
      Cursor cursor = reader.scan(0);
      for (boolean more = true; more; ) {
        try {
          ReadResult next = cursor.next();
          more = next != null;
          if (next != null) {
            seen.add(next.name());
          }
        } catch (HoldfastException e) {
          assertThat(e.code()).isEqualTo(ErrorCode.DAMAGED);
          told++;
        }
      }
      assertThat(told).isEqualTo(1);
      assertThat(seen)
          .contains(names.getFirst(), names.getLast())
          .doesNotContain(names.get(VICTIM));
      assertThat(seen.size()).isGreaterThan(RECORDS / 2);
    }
  }

  @Test
  void aWatchGoesOnBehindWhatIsDamaged() throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache());
        Subscription watch = reader.watch(0)) {
      List<Hash> seen = new ArrayList<>();
      int told = 0;
      // The failure comes with the poll after the one that brought what lay around it.
      for (int polls = 0; polls < 60 && (told == 0 || !seen.contains(names.getLast())); polls++) {
        try {
          watch.poll(1000).forEach(result -> seen.add(result.name()));
        } catch (HoldfastException e) {
          assertThat(e).hasMessageContaining("records number");
          told++;
        }
      }
      assertThat(told).isPositive();
      assertThat(seen).contains(names.getLast());
      assertThat(seen).doesNotContain(names.get(VICTIM));
    }
  }

  @Test
  void theScrubberFindsItUnasked() throws Exception {
    fixture.close();
    try (Node node =
        Node.start(
            NodeOptions.of(folder, NodeFixture.ANYWHERE, NodeFixture.ANYWHERE, java.util.Set.of())
                .withScrubRate(100 << 20))) {
      NodeFixture.eventually(
          "a pass of the scrubber",
          () -> metric(node.httpPort(), "holdfast_scrub_completed_seconds") > 0);
      assertThat(metric(node.httpPort(), "holdfast_damaged_records")).isGreaterThan(1);
      assertThat(metric(node.httpPort(), "holdfast_scrub_progress")).isEqualTo(1);
    }
  }

  private double metric(String name) {
    return metric(fixture.node.httpPort(), name);
  }

  static double metric(int port, String name) {
    try (HttpClient http = HttpClient.newHttpClient()) {
      String all =
          http.send(
                  HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics"))
                      .build(),
                  HttpResponse.BodyHandlers.ofString())
              .body();
      for (String line : all.lines().toList()) {
        if (line.startsWith(name + " ")) {
          return Double.parseDouble(line.substring(name.length() + 1));
        }
      }
      throw new AssertionError("there is no " + name + " in " + all);
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
