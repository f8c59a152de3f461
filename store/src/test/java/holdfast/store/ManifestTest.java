package holdfast.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.FlushOptions;
import org.rocksdb.LiveFileMetaData;

/** RocksDB reads the list of tables as it is changed, wherever in a block a change falls. */
class ManifestTest {
  private static final int BLOCK = 32 << 10;

  @TempDir Path folder;

  @Test
  void aTableIsTakenFromTheListAtEveryPlaceOfABlock() throws Exception {
    Path first = folder.resolve("first");
    make(first);
    // A change of a table is about 14 bytes, its head 7: these ends meet all ways to be cut.
    for (int left = 0; left <= 24; left += 3) {
      Path database = folder.resolve("left" + left);
      copy(first, database);
      Path list = database.resolve(Files.readString(database.resolve("CURRENT")).strip());
      Files.write(list, padded(Files.readAllBytes(list), BLOCK - left));
      List<LiveFileMetaData> before = live(database);
      LiveFileMetaData gone = before.getFirst();
      long number = TableFile.numberIn(gone.fileName());
      Manifest.remove(database, List.of(new Manifest.Table(0, gone.level(), number)));
      assertThat(live(database))
          .as("%d bytes before the end of a block", left)
          .extracting(LiveFileMetaData::fileName)
          .doesNotContain(gone.fileName())
          .hasSize(before.size() - 1);
      Tables.open(database, StoreFixture.SMALL, false).close();
      assertThat(Files.exists(RottenTables.fileOf(gone))).isFalse();
    }
  }

  private static void make(Path database) throws Exception {
    Files.createDirectories(database);
    try (Tables tables = Tables.openResting(database, StoreFixture.SMALL);
        FlushOptions wait = new FlushOptions()) {
      for (byte i = 0; i < 3; i++) {
        tables.db.put(tables.settings, new byte[] {i}, new byte[100]);
        tables.db.flush(wait, tables.all());
      }
    }
  }

  /** The list with changes that change nothing, up to a length. */
  private static byte[] padded(byte[] list, int length) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(list);
    while (length - out.size() > 4000) {
      Manifest.append(out, nothing(2000));
    }
    Manifest.append(out, nothing(length - out.size() - 7));
    assertThat(out.size()).isEqualTo(length);
    return out.toByteArray();
  }

  /** The number of family 0, again and again. */
  private static byte[] nothing(int size) {
    ByteArrayOutputStream change = new ByteArrayOutputStream();
    // varint 200 takes two bytes, the family one; written longer it takes up to four.
    int left = size;
    while (left > 0) {
      int count = left % 3 == 0 || left < 5 ? Math.min(left, 3) : left % 3 + 3;
      change.write(0xC8);
      change.write(0x01);
      for (int i = 2; i < count - 1; i++) {
        change.write(0x80);
      }
      change.write(0);
      left -= count;
    }
    assertThat(change.size()).isEqualTo(size);
    return change.toByteArray();
  }

  private static List<LiveFileMetaData> live(Path database) {
    try (Tables tables = Tables.open(database, StoreFixture.SMALL, true)) {
      return new ArrayList<>(tables.db.getLiveFilesMetaData());
    }
  }

  private static void copy(Path from, Path to) throws Exception {
    Files.createDirectories(to);
    try (var files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
  }
}
