package holdfast.edge;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.client.ArrivalPage;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.testkit.Patience;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An edge is backed up as it is written, whatever becomes of its masters. */
@Timeout(Patience.TEST_SECONDS)
final class BackupTest {
  @TempDir Path scratch;

  private static Site.User writer(EdgeFolder folder) {
    try (EdgeAdmin admin = EdgeAdmin.of(folder)) {
      admin.add(
          "ann", "a long password".getBytes(UTF_8), List.of(new EdgeAdmin.Right("*", "write")));
    }
    return new Site.User(folder, "ann", "a long password");
  }

  @Test
  void i20DevicesAreNeverHeldUpAndI21TheBackupGoesOnAfterTheMasterWasGone() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder folder = site.init("edge-1");
      try (Gateway edge = Site.start(folder);
          Site.User ann = writer(folder)) {
        assertThat(edge.backup().status().masters()).isEmpty();
        site.place(edge, folder);
        Site.backedUp(edge);
        site.restart(
            0,
            () -> {
              try {
                for (int i = 0; i < 30; i++) {
                  ann.put("home", "key " + i, ("value " + i).getBytes(UTF_8));
                }
              } catch (Exception e) {
                throw new AssertionError(e);
              }
              Site.eventually(
                  "attempts have failed",
                  () -> !edge.backup().status().masters().getFirst().trouble().isEmpty());
              Backup.Status waiting = edge.backup().status();
              assertThat(waiting.backlog().records()).isEqualTo(30);
              assertThat(waiting.backlog().bytes()).isGreaterThan(30 * 149);
              assertThat(waiting.backlog().oldestMillis()).isPositive();
            });
        Site.backedUp(edge);
        assertThat(edge.backup().status().backlog().oldestMillis()).isZero();
      }
    }
  }

  @Test
  void i20ARecordCountsOnceEnoughMastersHoldIt() throws Exception {
    try (Site site = new Site(scratch, 2)) {
      EdgeFolder folder = site.init("edge-1");
      try (Gateway edge = Site.start(folder);
          Site.User ann = writer(folder)) {
        site.place(edge, folder);
        Site.backedUp(edge);
        site.restart(
            1,
            () -> {
              try {
                ann.put("home", "key", new byte[10]);
              } catch (Exception e) {
                throw new AssertionError(e);
              }
              Site.eventually(
                  "the other master has it",
                  () ->
                      edge.backup().status().masters().stream()
                          .anyMatch(one -> one.backlog().records() == 0));
              folder.keepCopies(1);
              assertThat(edge.backup().status().backlog().records()).isZero();
              folder.keepCopies(2);
              assertThat(edge.backup().status().backlog().records()).isEqualTo(1);
            });
        Site.backedUp(edge);
      }
    }
  }

  @Test
  void i30WhatIsBackedUpWasCompressedBeforeItWasSealed() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder folder = site.init("edge-1");
      try (Gateway edge = Site.start(folder);
          Site.User ann = writer(folder)) {
        site.place(edge, folder);
        Site.backedUp(edge);
        StringBuilder csv = new StringBuilder();
        for (int i = 0; i < 5000; i++) {
          csv.append("2026-01-01T00:00:00Z,kitchen,power,").append(i % 97).append('\n');
        }
        byte[] value = csv.toString().getBytes(UTF_8);
        ann.put("home", "log", value);
        Site.backedUp(edge);
        try (CapsuleReader reader =
            site.servers()
                .getFirst()
                .openReader(folder.capsule(), List.of(), ReaderOptions.withoutCache())) {
          long records = reader.status().getCapsule().getRecords();
          ArrivalPage last = reader.page(records - 1, 1, false);
          assertThat(last.records().getFirst().header().sealedSize()).isLessThan(value.length / 10);
        }
      }
    }
  }

  @Test
  void aMasterSeesCiphertextOnly() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder folder = site.init("edge-1");
      byte[] sealed;
      try (Gateway edge = Site.start(folder);
          Site.User ann = writer(folder)) {
        ann.put("home", "unmistakable-key", "unmistakable-value".getBytes(UTF_8));
        site.place(edge, folder);
        Site.backedUp(edge);
        try (CapsuleReader reader =
            site.servers()
                .getFirst()
                .openReader(folder.capsule(), List.of(), ReaderOptions.withoutCache())) {
          long records = reader.status().getCapsule().getRecords();
          sealed =
              Objects.requireNonNull(reader.page(records - 1, 1, true).records().getFirst().body())
                  .leaf(0);
        }
      }
      site.masters.getFirst().close();
      int holding = 0;
      try (Stream<Path> files = Files.walk(scratch.resolve("master-0"))) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          String content = new String(Files.readAllBytes(file), ISO_8859_1);
          assertThat(content).as(file.toString()).doesNotContain("unmistakable");
          holding += content.contains(new String(sealed, 0, 24, ISO_8859_1)) ? 1 : 0;
        }
      }
      assertThat(holding).as("files in which the sealed leaf is found").isPositive();
      site.masters.removeFirst();
    }
  }
}
