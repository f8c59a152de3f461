package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.crypto.VerifyKey;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How many bytes of records each capsule and each owner has here. A record counts as its header and
 * its sealed body; one that is wholly erased as its header alone. What the database adds or saves
 * is left out, so that an owner can tell beforehand what a record will take.
 *
 * <p>The number of a capsule is kept under a key of its own, in the write batch of the records that
 * change it; that of an owner is the sum. A capsule without the key, of a store from before there
 * was one, is counted when it is first asked about. Safe for use by many threads.
 */
public final class Usage {
  private static final Logger LOG = LoggerFactory.getLogger(Usage.class);

  private final Tables tables;
  private final long limit;
  private @Nullable Map<VerifyKey, Long> owners;

  Usage(Tables tables, long limit) {
    this.tables = tables;
    this.limit = limit;
  }

  /** How many bytes an owner may have; {@link StoreOptions#UNLIMITED} for any number. */
  public long limit() {
    return limit;
  }

  /** What a record counts. */
  static long of(RecordHeader header, boolean erased) {
    return header.size() + (erased ? 0 : header.sealedSize());
  }

  /** The bytes of a capsule. */
  static long ofCapsule(Tables tables, int capsule) {
    try {
      byte[] stored = tables.db.get(tables.settings, Keys.usage(capsule));
      return stored == null ? counted(tables, capsule) : ByteBuffer.wrap(stored).getLong();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read how much a capsule takes", e);
    }
  }

  /** Counts what is stored; what cannot be read does not count. */
  private static long counted(Tables tables, int capsule) {
    RecordGraph graph = new RecordGraph(new CapsuleTable(tables, capsule), 2);
    RecordBlocks blocks = new RecordBlocks(tables, tables.passing);
    long bytes = 0;
    for (long first = 0; first < graph.size(); first += RecordBlocks.SIZE) {
      try {
        long arrival = first;
        for (RecordBlocks.Stored stored : blocks.read(capsule, first >>> RecordBlocks.SHIFT)) {
          RecordHeader header = stored.known();
          if (header != null && arrival < graph.size()) {
            bytes += of(header, graph.bodyState(arrival) == Record.State.ERASED);
          }
          arrival++;
        }
      } catch (HoldfastException e) {
        LOG.warn("records from number {} on are not counted: {}", first, e.getMessage());
      }
    }
    return bytes;
  }

  /** The bytes of all capsules of an owner. */
  public synchronized long ofOwner(VerifyKey owner) {
    return owners().getOrDefault(owner, 0L);
  }

  /** The bytes of every owner. */
  public synchronized Map<VerifyKey, Long> ofOwners() {
    return Map.copyOf(owners());
  }

  /**
   * Refuses a batch that would give an owner more than it may have. On the thread that commits.
   *
   * @param used what the group has staged so far
   */
  void refuseBeyondLimit(StoreBatch batch, Map<StoredCapsule, Long> used) {
    if (limit == StoreOptions.UNLIMITED || batch.records().isEmpty()) {
      return;
    }
    VerifyKey owner = batch.capsule().metadata().owner();
    long has = ofOwner(owner);
    for (Map.Entry<StoredCapsule, Long> entry : used.entrySet()) {
      has += entry.getKey().metadata().owner().equals(owner) ? entry.getValue() : 0;
    }
    Map<Hash, Long> fresh = new HashMap<>();
    for (Record record : batch.records()) {
      fresh.put(record.name(), of(record.header(), !record.state().hasBody()));
    }
    if (has + sum(fresh) > limit) {
      // What is here already adds nothing: it may be sent again as often as it takes.
      RecordGraph graph = batch.capsule().graph();
      fresh.keySet().removeIf(name -> graph.arrivalOf(name) >= 0);
    }
    long adds = sum(fresh);
    if (adds > 0 && has + adds > limit) {
      throw new HoldfastException(
          ErrorCode.QUOTA,
          "the owner "
              + owner
              + " may have "
              + limit
              + " bytes of records on this server, has "
              + has
              + ", and this would add "
              + adds);
    }
  }

  private static long sum(Map<Hash, Long> bytes) {
    return bytes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Stages the new numbers of capsules, beside what changes them. Under their locks. */
  void stage(WriteBatch out, Map<StoredCapsule, Long> used) throws RocksDBException {
    // Read before anything is committed: afterwards what is committed would be added once more.
    load();
    for (Map.Entry<StoredCapsule, Long> entry : used.entrySet()) {
      long bytes = entry.getKey().usedBytes() + entry.getValue();
      out.put(
          tables.settings,
          Keys.usage(entry.getKey().number()),
          ByteBuffer.allocate(8).putLong(bytes).array());
    }
  }

  /** Counts what was committed. Under the locks of the capsules. */
  synchronized void publish(Map<StoredCapsule, Long> used) {
    used.forEach((capsule, bytes) -> {
      capsule.setUsedBytes(capsule.usedBytes() + bytes);
      owners().merge(capsule.metadata().owner(), bytes, Long::sum);
    });
  }

  private synchronized void load() {
    owners();
  }

  private Map<VerifyKey, Long> owners() {
    Map<VerifyKey, Long> known = owners;
    if (known == null) {
      known = loaded();
      owners = known;
    }
    return known;
  }

  private Map<VerifyKey, Long> loaded() {
    Map<VerifyKey, Long> sums = new HashMap<>();
    try {
      CapsuleEntry.visit(
          tables,
          entry -> {
            try {
              sums.merge(entry.metadata().owner(), ofCapsule(tables, entry.number()), Long::sum);
            } catch (ProofException e) {
              LOG.warn("a capsule whose entry is damaged is not counted: {}", e.getMessage());
            }
          });
    } catch (RocksDBException e) {
      throw Tables.failure("cannot list capsules", e);
    }
    return sums;
  }
}
