package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.Witness;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;

/**
 * Derives again what can be derived of one stored record, and compares: its name, what that name
 * leads to, its backpointers, its body and the tree above it, its signatures. {@link Fsck} does it
 * to a folder at rest, {@link Scrubber} to one that is served.
 *
 * <p>Reads the database past all that the store keeps decoded. Lives for one pass over some
 * records: a block that was read is remembered for its other records.
 */
final class RecordCheck {
  private final Tables tables;
  private final RecordBlocks blocks;
  private final Bodies bodies;
  private final Hash capsule;
  private final int number;
  private final RecordGraph kept;
  private final Erasures erasures;
  private long blockIndex = -1;
  private List<RecordBlocks.Stored> block = List.of();

  /** Hears what is wrong. */
  interface Problems {
    void found(Damage.Part part, String what);
  }

  /**
   * A check of records of one capsule.
   *
   * @param kept the record graph as it is stored, opened for this check alone
   */
  RecordCheck(
      Tables tables,
      ReadOptions reads,
      Hash capsule,
      int number,
      RecordGraph kept,
      Erasures erasures) {
    this.tables = tables;
    this.blocks = new RecordBlocks(tables, reads);
    this.bodies = new Bodies(tables, reads);
    this.capsule = capsule;
    this.number = number;
    this.kept = kept;
    this.erasures = erasures;
  }

  /** A check of what a store serves, against its record graph read anew from the database. */
  static RecordCheck of(CapsuleStore store, StoredCapsule capsule, RecordGraph kept) {
    Tables tables = store.tables();
    return new RecordCheck(
        tables, tables.passing, capsule.name(), capsule.number(), kept, capsule.erasures());
  }

  /** The record graph of a capsule, past what is kept decoded of it. */
  static RecordGraph graph(CapsuleStore store, StoredCapsule capsule) {
    return new RecordGraph(new CapsuleTable(store.tables(), capsule.number()), 2);
  }

  /** What is wrong with a record as it is stored now; null when nothing is. Under its lock. */
  static @Nullable Damage inspect(CapsuleStore store, StoredCapsule capsule, long arrival) {
    RecordCheck check = of(store, capsule, graph(store, capsule));
    List<Damage.Part> parts = new ArrayList<>();
    List<String> wrong = new ArrayList<>();
    Problems problems =
        (part, what) -> {
          parts.add(part);
          wrong.add(what);
        };
    RecordHeader header = check.check(arrival, problems);
    if (header != null) {
      check.signatures(arrival, header, capsule.metadata(), problems);
    }
    if (parts.isEmpty()) {
      return null;
    }
    Damage.Part worst = Collections.min(parts);
    return new Damage(
        capsule.number(),
        arrival,
        header == null || worst == Damage.Part.HEADER ? null : header.name(),
        worst,
        String.join("; ", wrong),
        System.currentTimeMillis());
  }

  /**
   * Checks a record.
   *
   * @return its header; null when that cannot be read
   */
  @Nullable RecordHeader check(long arrival, Problems problems) {
    RecordBlocks.Stored stored;
    RecordHeader header;
    try {
      stored = stored(arrival);
      header = stored.header();
      header.expect(capsule, header.name());
    } catch (ProofException | HoldfastException e) {
      problems.found(Damage.Part.HEADER, message(e));
      return null;
    }
    try {
      graph(arrival, header, problems);
    } catch (RocksDBException | HoldfastException | AssertionError e) {
      problems.found(Damage.Part.GRAPH, message(e));
    }
    try {
      body(arrival, stored, problems);
    } catch (RocksDBException | ProofException | HoldfastException | AssertionError e) {
      problems.found(Damage.Part.BODY, message(e));
    }
    return header;
  }

  /** In words what a failure says of the record; a disk that does not answer says nothing of it. */
  private static String message(Throwable e) {
    HoldfastException failure =
        switch (e) {
          case RocksDBException cause -> Tables.failure("cannot be read", cause);
          case HoldfastException known -> known;
          default -> null;
        };
    if (failure != null && failure.code() == ErrorCode.INTERNAL) {
      throw failure;
    }
    return String.valueOf(e.getMessage());
  }

  private RecordBlocks.Stored stored(long arrival) {
    long index = arrival >>> RecordBlocks.SHIFT;
    if (index != blockIndex) {
      block = blocks.read(number, index);
      blockIndex = index;
    }
    int at = RecordBlocks.slot(arrival);
    if (at >= block.size()) {
      throw new HoldfastException(ErrorCode.DAMAGED, "it is not in its block");
    }
    return block.get(at);
  }

  /** The arrival number that is noted for a name, or -1. */
  static long arrivalOf(Tables tables, int number, Hash name) throws RocksDBException {
    byte[] stored = tables.db.get(tables.names, Keys.within(number, name.toBytes(), 0));
    return stored == null ? -1 : ByteBuffer.wrap(stored).getLong();
  }

  private void graph(long arrival, RecordHeader header, Problems problems) throws RocksDBException {
    if (arrivalOf(tables, number, header.name()) != arrival) {
      // Either the header is not the one that came, or the name is lost: it is not to be trusted.
      problems.found(Damage.Part.HEADER, "cannot be found by its name");
    }
    long[] pointers = new long[header.pointerCount()];
    for (int i = 0; i < pointers.length; i++) {
      pointers[i] = arrivalOf(tables, number, header.pointer(i));
    }
    if (!Arrays.equals(pointers, kept.pointers(arrival))
        || header.writer() != kept.writer(arrival)) {
      problems.found(Damage.Part.GRAPH, "its backpointers are noted wrongly");
    }
    Witness witness = kept.witness(arrival);
    if (witness.proven() && witness.distance() > 0 && !leads(witness.nextHop(), arrival)) {
      problems.found(Damage.Part.GRAPH, "the way to prove it is noted wrongly");
    }
  }

  private boolean leads(long hop, long arrival) {
    return hop >= 0
        && hop < kept.size()
        && kept.witness(hop).proven()
        && Arrays.stream(kept.pointers(hop)).anyMatch(target -> target == arrival);
  }

  private void body(long arrival, RecordBlocks.Stored stored, Problems problems)
      throws ProofException, RocksDBException {
    RecordHeader header = stored.header();
    Record.State state = kept.bodyState(arrival);
    boolean erased = erasures.ofRecord(header) != null;
    Set<Integer> leaves = erasures.ofLeaves(header.name()).keySet();
    if (!state.hasBody()) {
      if (!erased && leaves.size() < header.leafCount()) {
        problems.found(Damage.Part.BODY, "noted as erased, without a statement of the owner");
      }
      if (stored.body() != null
          || tables.db.get(tables.bodies, Keys.chunk(number, arrival, 0)) != null) {
        problems.found(Damage.Part.BODY, "erased, and still stored");
      }
      return;
    }
    Body beside = stored.body();
    Body body = beside != null ? beside : bodies.read(number, arrival, header);
    body.expect(header);
    if (beside == null && !bodies.tilesHold(number, arrival, header, body)) {
      problems.found(Damage.Part.BODY, "the tree above its body is damaged");
    }
    if (body.whole() != (state == Record.State.WHOLE)) {
      problems.found(Damage.Part.BODY, "leaves are erased, or not, against what is noted");
    }
    for (int leaf = 0; leaf < header.leafCount(); leaf++) {
      if (body.erased(leaf) != (erased || leaves.contains(leaf))) {
        problems.found(
            Damage.Part.BODY,
            "leaf " + leaf + " is erased, or not, against the owner's statements");
      }
    }
  }

  /**
   * Checks the signatures of a record, and that one is there where the record is noted as signed.
   */
  void signatures(long arrival, RecordHeader header, Metadata metadata, Problems problems) {
    try {
      Witness witness = kept.witness(arrival);
      if (!witness.proven() || witness.distance() > 0) {
        return;
      }
      int found = 0;
      try (Slice end = new Slice(Keys.signature(number, arrival + 1, 0));
          ReadOptions bounded = new ReadOptions(tables.passing).setIterateUpperBound(end);
          RocksIterator entries = tables.db.newIterator(tables.statements, bounded)) {
        for (entries.seek(Keys.signature(number, arrival, 0)); entries.isValid(); entries.next()) {
          Statement statement = Statement.decode(entries.value());
          statement.verify(metadata);
          if (!(statement instanceof Statement.WriterSignature signature)
              || !signature.record().equals(header.name())) {
            problems.found(Damage.Part.SIGNATURE, "a signature of it belongs to another record");
          }
          found++;
        }
        entries.status();
      }
      if (found == 0) {
        problems.found(Damage.Part.SIGNATURE, "its signature is not there");
      }
    } catch (RocksDBException | ProofException | HoldfastException | AssertionError e) {
      problems.found(Damage.Part.SIGNATURE, message(e));
    }
  }
}
