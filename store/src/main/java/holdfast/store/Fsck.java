package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.InMemoryOrderedMap;
import holdfast.capsule.Metadata;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.Witness;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;

/**
 * Checks a data folder that no server has open, without changing it: checksums of every block, then
 * everything that can be derived again - names, body roots, signatures, arrival numbers, the record
 * graph with its heads and witnesses.
 */
public final class Fsck {
  private final Tables tables;
  private final Consumer<String> problems;
  private long capsules;
  private long records;
  private long found;

  private Fsck(Tables tables, Consumer<String> problems) {
    this.tables = tables;
    this.problems = problems;
  }

  /** What was looked at and what was found. */
  public record Report(long capsules, long records, long problems) {
    /** Whether nothing is wrong. */
    public boolean clean() {
      return problems == 0;
    }
  }

  /**
   * Checks everything.
   *
   * @param problems is told of each problem, in plain words
   */
  public static Report check(Path dataFolder, StoreOptions options, Consumer<String> problems) {
    Path database = CapsuleStore.databaseFolder(dataFolder);
    long before = 0;
    try (SyncedMark mark = SyncedMark.open(CapsuleStore.markFile(dataFolder))) {
      requireNothingLost(dataFolder, mark.sequence(), options);
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read the synced mark", e);
    } catch (HoldfastException e) {
      problems.accept(String.valueOf(e.getMessage()));
      before = 1;
    }
    Tables tables;
    try {
      tables = Tables.open(database, options, true);
    } catch (HoldfastException e) {
      problems.accept(String.valueOf(e.getMessage()));
      return new Report(0, 0, before + 1);
    }
    try (tables) {
      Fsck fsck = new Fsck(tables, problems);
      fsck.found = before;
      fsck.run();
      return new Report(fsck.capsules, fsck.records, fsck.found);
    }
  }

  /**
   * Makes a new synced mark from what is there, so that the store opens again without what was
   * lost.
   */
  public static void acceptLoss(Path dataFolder, StoreOptions options) {
    Path file = CapsuleStore.markFile(dataFolder);
    try (Tables tables = Tables.open(CapsuleStore.databaseFolder(dataFolder), options, false)) {
      SyncedMark.create(file, tables.db.getLatestSequenceNumber());
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot write " + file, e);
    }
  }

  /**
   * Compares what a recovery would bring back with what was promised. Opens the database read-only,
   * because a recovery in earnest would drop what follows a damaged log entry.
   */
  static void requireNothingLost(Path dataFolder, long promised, StoreOptions options) {
    try (Tables tables = Tables.open(CapsuleStore.databaseFolder(dataFolder), options, true)) {
      long there = tables.db.getLatestSequenceNumber();
      if (there < promised) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "synced data is lost: the log in "
                + dataFolder
                + " ends at write "
                + there
                + ", but "
                + promised
                + " were acknowledged as durable. A log file is damaged or missing. Restore it, or"
                + " run 'holdfast fsck --data "
                + dataFolder
                + " --accept-loss' to go on without");
      }
    }
  }

  /**
   * Reads every block of every table and notes the tables with rotten ones, as a running server
   * does with those that it meets: the next opening of the folder replaces them.
   *
   * @param says is told of each, in plain words
   * @return how many were found
   * @throws HoldfastException {@link ErrorCode#DAMAGED} when the database cannot be opened
   */
  public static int noteRotten(Path dataFolder, StoreOptions options, Consumer<String> says) {
    try (SyncedMark mark = SyncedMark.open(CapsuleStore.markFile(dataFolder))) {
      requireNothingLost(dataFolder, mark.sequence(), options);
      return RottenTables.note(dataFolder, options, says);
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "cannot look for rotten tables: " + e.getMessage(), e);
    }
  }

  /** Whether rot is noted, so that the next opening of the folder has something to mend. */
  public static boolean rotNoted(Path dataFolder) {
    return RotNotes.present(dataFolder);
  }

  private void problem(String what) {
    found++;
    problems.accept(what);
  }

  private void run() {
    try {
      tables.db.verifyChecksum();
    } catch (RocksDBException e) {
      problem("a block on disk is damaged: " + e.getMessage());
    }
    try {
      CapsuleEntry.visit(tables, this::capsule);
      withoutEntry();
    } catch (RocksDBException e) {
      problem("the list of capsules cannot be read: " + e.getMessage());
    }
  }

  /** Records without an entry of their capsule are served to nobody. */
  private void withoutEntry() throws RocksDBException {
    Aftermath listed = new Aftermath(tables);
    for (Map.Entry<Integer, Optional<Hash>> lost : listed.withoutEntry().entrySet()) {
      problem(
          "the entry of capsule "
              + lost.getValue().map(Hash::brief).orElse("number " + lost.getKey())
              + " is lost; its records are here");
    }
  }

  private void capsule(CapsuleEntry entry) {
    capsules++;
    Hash name = entry.name();
    int number = entry.number();
    try {
      Metadata metadata = entry.metadata();
      if (!metadata.name().equals(name)) {
        problem("capsule " + name.brief() + ": the metadata has another name");
      }
      metadata.verifyCreation(entry.signature());
      RecordGraph kept = new RecordGraph(new CapsuleTable(tables, number), 4096);
      RecordGraph derived = new RecordGraph(new InMemoryOrderedMap(), Integer.MAX_VALUE);
      headers(name, number, kept, derived, Erasures.stored(tables, number));
      signatures(name, number, metadata, derived);
      compare(name, kept, derived);
    } catch (ProofException | HoldfastException | AssertionError e) {
      problem("capsule " + name.brief() + ": " + e.getMessage());
    }
  }

  private void headers(
      Hash capsule, int number, RecordGraph kept, RecordGraph derived, Erasures erasures) {
    RecordCheck check = new RecordCheck(tables, tables.passing, capsule, number, kept, erasures);
    for (long arrival = 0; arrival < kept.size(); arrival++) {
      records++;
      String where = "capsule " + capsule.brief() + ", record number " + arrival;
      try {
        List<String> wrong = new ArrayList<>();
        RecordHeader header = check.check(arrival, (part, what) -> wrong.add(what));
        if (header != null) {
          where += " (" + header.name().brief() + ")";
          if (derived.arrivalOf(header.name()) >= 0) {
            problem(where + ": stored twice");
          }
          derived.insert(header, derived.arrivalsOf(header.pointers()));
        }
        for (String what : wrong) {
          problem(where + ": " + what);
        }
      } catch (HoldfastException | AssertionError e) {
        problem(where + ": " + e.getMessage());
      }
      if (derived.size() == arrival) {
        problem("capsule " + capsule.brief() + ": later records were not looked at");
        return;
      }
    }
  }

  private void signatures(Hash capsule, int number, Metadata metadata, RecordGraph derived)
      throws ProofException {
    try (RocksIterator entries = tables.db.newIterator(tables.statements)) {
      byte[] end = ByteBuffer.allocate(4).putInt(number + 1).array();
      for (entries.seek(Keys.signature(number, 0, 0)); entries.isValid(); entries.next()) {
        byte[] key = entries.key();
        if (Arrays.compareUnsigned(key, end) >= 0) {
          break;
        }
        Statement statement = Statement.decode(entries.value());
        statement.verify(metadata);
        if (statement instanceof Statement.WriterSignature signature) {
          long arrival = derived.arrivalOf(signature.record());
          if (arrival != ByteBuffer.wrap(key, 5, 8).getLong()) {
            problem("capsule " + capsule.brief() + ": a signature belongs to another record");
          } else {
            derived.sign(arrival, signature.signer());
          }
        }
      }
      entries.status();
    } catch (RocksDBException e) {
      problem("capsule " + capsule.brief() + ": statements cannot be read: " + e.getMessage());
    }
  }

  private void compare(Hash capsule, RecordGraph kept, RecordGraph derived) {
    if (kept.size() != derived.size()) {
      return;
    }
    for (long arrival = 0; arrival < kept.size(); arrival++) {
      Witness expected = derived.witness(arrival);
      Witness actual = kept.witness(arrival);
      if (expected.rank() != actual.rank()) {
        problem(
            "capsule "
                + capsule.brief()
                + ", record number "
                + arrival
                + ": the way to prove it is noted wrongly");
      }
    }
    int limit = 1 << 20;
    compare(capsule, "heads", kept.heads(limit), derived.heads(limit));
    compare(capsule, "proven heads", kept.provenHeads(limit), derived.provenHeads(limit));
    compare(capsule, "roots", kept.roots(limit), derived.roots(limit));
    if (!Set.copyOf(kept.missingNames(limit)).equals(Set.copyOf(derived.missingNames(limit)))) {
      problem("capsule " + capsule.brief() + ": its missing names are noted wrongly");
    }
  }

  private void compare(Hash capsule, String what, long[] kept, long[] derived) {
    if (!Arrays.equals(kept, derived)) {
      problem("capsule " + capsule.brief() + ": its " + what + " are noted wrongly");
    }
  }
}
