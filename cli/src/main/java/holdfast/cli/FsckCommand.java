package holdfast.cli;

import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.store.CapsuleStore;
import holdfast.store.Fsck;
import holdfast.store.StoreOptions;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Checks a data folder. */
@Command(
    name = "fsck",
    description = "Checks all data of a stopped server: every byte, name, signature and link.",
    footerHeading = "%n",
    footer = {
      "Changes nothing, unless --accept-loss or --repair is given. Exit code 3 when there are problems.",
      "",
      "--repair asks the servers on which the capsules are placed, or those of --from, for what is",
      "damaged or lost here, proves each record, and stores it. Tables with damaged blocks are replaced",
      "first by what can be read of them. Exit code 0 when all is well then, 1 when all is well here",
      "but a server could not be asked, 3 when problems are left.",
      "",
      "Examples:",
      "  holdfast fsck --data /srv/holdfast",
      "  holdfast fsck --data /srv/holdfast --repair --from two.example:7420",
      "",
      "JSON: {step} and {problem} for each, then capsules, records, problems, clean; with --repair also",
      "repaired, fetched, statements, left, rewritten, unasked"
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

  @Option(
      names = "--repair",
      description = "Mend what is damaged or lost with what other servers have.")
  boolean repair;

  @Option(
      names = "--from",
      paramLabel = "HOST:PORT",
      arity = "1..*",
      split = ",",
      description =
          "With --repair: the servers to ask. Default: those on which the capsules are placed.")
  List<String> from = new ArrayList<>();

  FsckCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    if (!repair && !from.isEmpty()) {
      throw Failure.usage("--from says whom to ask for a repair", "Add --repair.");
    }
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
      boolean rewritten =
          repair && Fsck.noteRotten(folder, StoreOptions.defaults(), this::step) > 0;
      FolderRepair.Outcome mended = repair ? mend(folder) : null;
      Fsck.Report report =
          Fsck.check(
              folder,
              StoreOptions.defaults(),
              problem -> print(Json.object().put("problem", problem), "problem: " + problem));
      Json object =
          Json.object()
              .put("capsules", report.capsules())
              .put("records", report.records())
              .put("problems", report.problems())
              .put("clean", report.clean());
      String text =
          count(report.capsules(), "capsule")
              + " and "
              + count(report.records(), "record")
              + " checked: "
              + (report.clean() ? "all is well" : count(report.problems(), "problem"));
      if (mended != null) {
        object
            .put("repaired", mended.repaired())
            .put("fetched", mended.fetched())
            .put("statements", mended.statements())
            .put("left", mended.left())
            .put("rewritten", rewritten)
            .put("unasked", mended.unasked());
        text = account(mended) + "\n" + text;
      }
      print(object, text);
      return report.clean() ? unasked(mended) : Failure.VIOLATION;
    }
  }

  private static int unasked(FolderRepair.@Nullable Outcome mended) {
    return mended == null || mended.unasked().isEmpty() ? 0 : Failure.FAILED;
  }

  private void step(String what) {
    print(Json.object().put("step", what), what);
  }

  /**
   * Every opening replaces the rotten tables that are noted, and derives what it can. Some of that
   * can only be derived from what other servers bring: so it is opened again while that may help.
   */
  private FolderRepair.Outcome mend(Path folder) throws IOException {
    FolderRepair.Outcome all = FolderRepair.Outcome.NOTHING;
    FolderRepair.Outcome last;
    int rounds = 0;
    do {
      last = mendOnce(folder);
      all = all.then(last);
      rounds++;
    } while (Fsck.rotNoted(folder) && (rounds == 1 || last.mended()));
    return all;
  }

  private FolderRepair.Outcome mendOnce(Path folder) throws IOException {
    VerifyKey self =
        SigningKey.parsePem(Files.readString(folder.resolve("identity.pem"))).verifyKey();
    List<Server> named = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(folder, StoreOptions.defaults())) {
      for (String one : from) {
        named.add(Server.at(Contexts.resolve(terminal.home(), one), terminal.home().trust()));
      }
      return FolderRepair.run(store, named, self, this::step);
    } finally {
      named.forEach(Server::close);
    }
  }

  private static String account(FolderRepair.Outcome mended) {
    return count(mended.repaired(), "damaged record")
        + " mended, "
        + mended.left()
        + " not; "
        + count(mended.fetched(), "lost record")
        + " and "
        + count(mended.statements(), "statement")
        + " fetched"
        + (mended.unasked().isEmpty()
            ? ""
            : "\nNot all servers could be asked: " + String.join(", ", mended.unasked()));
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
