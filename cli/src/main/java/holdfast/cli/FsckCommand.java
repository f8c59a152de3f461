package holdfast.cli;

import holdfast.store.Fsck;
import holdfast.store.StoreOptions;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Checks a data folder. */
@Command(
    name = "fsck",
    description = "Checks all data of a stopped server: every byte, name, signature and link.",
    footerHeading = "%n",
    footer = {
      "Changes nothing, unless --accept-loss is given. Exit code 3 when there are problems.",
      "",
      "Example:",
      "  holdfast fsck --data /srv/holdfast",
      "",
      "JSON: {problem} for each, then capsules, records, problems, clean"
    })
final class FsckCommand extends BaseCommand {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "The data folder. Default: HOLDFAST_HOME/data.")
  @Nullable Path data;

  @Option(
      names = "--accept-loss",
      description = "Let the server start without what was acknowledged and is lost.")
  boolean acceptLoss;

  FsckCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    Path folder = data == null ? terminal.home().data() : data;
    if (!Files.isDirectory(folder)) {
      throw Failure.failed(
          "there is no data folder " + folder,
          "Name the folder that 'holdfast up' uses: --data DIR");
    }
    try (FileChannel file =
        FileChannel.open(
            folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      requireAlone(file, folder);
      if (acceptLoss) {
        Fsck.acceptLoss(folder, StoreOptions.defaults());
      }
      Fsck.Report report =
          Fsck.check(
              folder,
              StoreOptions.defaults(),
              problem -> print(Json.object().put("problem", problem), "problem: " + problem));
      print(
          Json.object()
              .put("capsules", report.capsules())
              .put("records", report.records())
              .put("problems", report.problems())
              .put("clean", report.clean()),
          report.capsules()
              + " capsules and "
              + report.records()
              + " records checked: "
              + (report.clean() ? "all is well" : report.problems() + " problems"));
      return report.clean() ? 0 : Failure.VIOLATION;
    }
  }

  private static void requireAlone(FileChannel file, Path folder) throws IOException {
    FileLock lock;
    try {
      lock = file.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw Failure.failed(
          "a server is running on " + folder,
          "Stop it first; a running server checks what it reads.");
    }
  }
}
