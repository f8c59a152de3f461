package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.readProven;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Record;
import holdfast.store.StoreFixture.Writer;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever of a non-empty log is lost or damaged is noticed before anything is served. */
class LogTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);
  private final List<Record> records = new ArrayList<>();

  private interface Damage {
    void to(RandomAccessFile file) throws Exception;
  }

  @Test
  void damageAnywhereInTheLastLogIsNoticed() throws Exception {
    Path crashed = crashed(SMALL, 40);
    Path log = logs(crashed).getLast();
    long size = Files.size(log);
    assertThat(size).isGreaterThan(10_000);
    for (long at : new long[] {0, 5, size / 3, size / 2, size - 200, size - 2, size - 1}) {
      expectDamaged(
          crashed,
          log,
          file -> {
            file.seek(at);
            int old = file.read();
            file.seek(at);
            file.write(old ^ 16);
          });
    }
    for (long length : new long[] {0, 7, size / 2, size - 1}) {
      expectDamaged(crashed, log, file -> file.setLength(length));
    }
    try (CapsuleStore store = CapsuleStore.open(crashed, SMALL)) {
      for (Record record : records) {
        readProven(store.capsule(writer.name), writer, record.name());
      }
    }
  }

  @Test
  void anEarlierLogThatIsMissingOrCutIsNoticed() throws Exception {
    // Bodies fill their table and switch the log long before the others are flushed.
    StoreOptions options =
        new StoreOptions(
            8 << 20, 4 << 20, 256 << 10, 64 << 20, 1 << 20, 16, 64 << 20, StoreOptions.UNLIMITED);
    Path crashed = crashed(options, 250);
    List<Path> logs = logs(crashed);
    assertThat(logs).hasSizeGreaterThan(2);
    for (Path log : logs) {
      long size = Files.size(log);
      if (size > 0) {
        expectDamaged(crashed, log, file -> Files.delete(log));
        expectDamaged(crashed, log, file -> file.setLength(0));
        expectDamaged(crashed, log, file -> file.setLength(size / 2));
        expectDamaged(crashed, log, file -> file.setLength(size - 1));
      }
    }
    try (CapsuleStore store = CapsuleStore.open(crashed, options)) {
      for (Record record : records) {
        readProven(store.capsule(writer.name), writer, record.name());
      }
    }
  }

  @Test
  void afterAnAcceptedLossWhatIsLeftIsServed() throws Exception {
    Path crashed = crashed(SMALL, 40);
    Path log = logs(crashed).getLast();
    try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "rw")) {
      file.setLength(file.length() / 2);
    }
    assertThat(Fsck.check(crashed, SMALL, problem -> {}).clean()).isFalse();
    Fsck.acceptLoss(crashed, SMALL);
    StoreFixture.expectClean(crashed);
    try (CapsuleStore store = CapsuleStore.open(crashed, SMALL)) {
      StoredCapsule capsule = store.capsule(writer.name);
      int left = (int) StoreFixture.size(capsule);
      assertThat(left).isBetween(1, records.size() - 1);
      for (Record record : records.subList(0, left)) {
        readProven(capsule, writer, record.name());
      }
      write(store, writer, records);
      assertThat(StoreFixture.size(capsule)).isEqualTo(records.size());
    }
    StoreFixture.expectClean(crashed);
  }

  private Path crashed(StoreOptions options, int batches) throws Exception {
    Path data = folder.resolve("data");
    Path crashed = folder.resolve("crashed");
    try (CapsuleStore store = CapsuleStore.open(data, options)) {
      for (int i = 0; i < batches; i++) {
        List<Record> batch = List.of(writer.leaves(3, 500), writer.leaves(2, 900));
        write(store, writer, batch);
        records.addAll(batch);
      }
      StoreFixture.copy(data, crashed);
    }
    return crashed;
  }

  private static List<Path> logs(Path data) throws Exception {
    try (var files = Files.list(data.resolve("db"))) {
      return files.filter(file -> file.toString().endsWith(".log")).sorted().toList();
    }
  }

  private void expectDamaged(Path data, Path log, Damage damage) throws Exception {
    byte[] sound = Files.readAllBytes(log);
    try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "rw")) {
      damage.to(file);
    }
    try {
      assertThatThrownBy(() -> CapsuleStore.open(data, SMALL).close())
          .as("opening after damage to %s of %s", log.getFileName(), logs(data))
          .isInstanceOf(HoldfastException.class)
          .extracting(e -> ((HoldfastException) e).code())
          .isEqualTo(ErrorCode.DAMAGED);
      assertThat(Fsck.check(data, SMALL, problem -> {}).clean()).isFalse();
    } finally {
      Files.write(log, sound);
    }
  }
}
