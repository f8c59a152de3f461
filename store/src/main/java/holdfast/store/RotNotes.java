package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * What the next start has to do about rot, in a file beside the database: when a compaction has met
 * rot the database takes no notes any more.
 *
 * <p>The file {@code rotten} is text, a note to a line, and "end" in the last. It is written anew
 * as a whole, and is gone when nothing is left to be done.
 */
final class RotNotes {
  private static final String END = "end";
  private static final HexFormat HEX = HexFormat.of();

  private RotNotes() {}

  /** Something to be done. */
  sealed interface Note {}

  /** A table in which a block is rotten: what can be read of it is to be written anew. */
  record Rotten(String family, long table) implements Note {}

  /**
   * A table of which all that can be read has been written anew. It is to be taken from the
   * database, and then what it may have hidden or lost is to be looked after.
   *
   * @param deletes whether it held deletions, so that older values may show without it
   * @param smallest its least key
   * @param largest its greatest key
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Salvaged(
      String family,
      long table,
      boolean deletes,
      byte[] smallest,
      byte[] largest,
      List<TableFile.Gap> gaps)
      implements Note {}

  /** A capsule whose record graph is to be derived anew from its headers and statements. */
  record Graph(int capsule) implements Note {}

  private static Path file(Path dataFolder) {
    return dataFolder.resolve("rotten");
  }

  /** Whether anything is to be done. */
  static boolean present(Path dataFolder) {
    return Files.exists(file(dataFolder));
  }

  /** The notes of a data folder; none when there is no file. */
  static List<Note> load(Path dataFolder) throws IOException {
    if (!present(dataFolder)) {
      return List.of();
    }
    List<String> lines = Files.readAllLines(file(dataFolder), StandardCharsets.US_ASCII);
    if (lines.isEmpty() || !lines.getLast().equals(END)) {
      throw damaged(dataFolder, "its end is missing");
    }
    List<Note> notes = new ArrayList<>();
    try {
      for (String line : lines.subList(0, lines.size() - 1)) {
        notes.add(parse(line.split(" ", -1)));
      }
    } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
      throw damaged(dataFolder, String.valueOf(e.getMessage()));
    }
    return notes;
  }

  private static HoldfastException damaged(Path dataFolder, String why) {
    return new HoldfastException(
        ErrorCode.DAMAGED,
        "the file "
            + file(dataFolder)
            + " is damaged ("
            + why
            + "). It says which tables of the database are rotten; take it away to start without,"
            + " they will be found again");
  }

  /** Replaces the notes, durably; with none of them the file goes. */
  static void save(Path dataFolder, List<? extends Note> notes) throws IOException {
    Path file = file(dataFolder);
    if (notes.isEmpty()) {
      Files.deleteIfExists(file);
    } else {
      StringBuilder text = new StringBuilder();
      notes.forEach(note -> text.append(line(note)).append('\n'));
      text.append(END).append('\n');
      Path draft = file.resolveSibling("rotten.new");
      try (FileChannel out =
          FileChannel.open(
              draft,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        ByteBuffer left = StandardCharsets.US_ASCII.encode(text.toString());
        while (left.hasRemaining()) {
          out.write(left);
        }
        out.force(true);
      }
      Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
    SyncedMark.syncFolder(dataFolder);
  }

  private static String line(Note note) {
    return switch (note) {
      case Rotten rotten -> "rotten " + rotten.family() + ' ' + rotten.table();
      case Graph graph -> "graph " + graph.capsule();
      case Salvaged done -> {
        StringBuilder line =
            new StringBuilder("salvaged ")
                .append(done.family())
                .append(' ')
                .append(done.table())
                .append(' ')
                .append(done.deletes())
                .append(' ')
                .append(HEX.formatHex(done.smallest()))
                .append(' ')
                .append(HEX.formatHex(done.largest()));
        for (TableFile.Gap gap : done.gaps()) {
          line.append(' ').append(HEX.formatHex(gap.from()));
          line.append(' ').append(HEX.formatHex(gap.to()));
        }
        yield line.toString();
      }
    };
  }

  private static Note parse(String[] words) {
    return switch (words[0]) {
      case "rotten" -> new Rotten(words[1], Long.parseLong(words[2]));
      case "graph" -> new Graph(Integer.parseInt(words[1]));
      case "salvaged" -> {
        List<TableFile.Gap> gaps = new ArrayList<>();
        for (int i = 6; i < words.length; i += 2) {
          gaps.add(new TableFile.Gap(HEX.parseHex(words[i]), HEX.parseHex(words[i + 1])));
        }
        yield new Salvaged(
            words[1],
            Long.parseLong(words[2]),
            Boolean.parseBoolean(words[3]),
            HEX.parseHex(words[4]),
            HEX.parseHex(words[5]),
            gaps);
      }
      default -> throw new IllegalArgumentException("unknown note: " + words[0]);
    };
  }
}
