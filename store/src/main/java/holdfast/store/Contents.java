package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Body;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * What the records of one capsule hold, as far as it is neither erased nor damaged. Reads go by the
 * cache and the column families without the capsule's lock; an erasure that overtakes one is
 * noticed, and then it is read again.
 */
final class Contents {
  private final CapsuleStore store;
  private final StoredCapsule capsule;
  private final int number;

  /** Counts erasures published, so that a reader notices one that overtook it. */
  private final AtomicLong erasureCount = new AtomicLong();

  Contents(CapsuleStore store, StoredCapsule capsule) {
    this.store = store;
    this.capsule = capsule;
    this.number = capsule.number();
  }

  /** The decoded record, without its body where that is kept in chunks. */
  RecordCache.Entry entry(long arrival) {
    refuseHeader(arrival);
    RecordCache.Entry cached = store.cache().get(number, arrival);
    if (cached != null) {
      return cached;
    }
    long erasuresBefore = erasureCount.get();
    try {
      List<RecordBlocks.Stored> block = block(arrival);
      keep(arrival - RecordBlocks.slot(arrival), block, erasuresBefore);
      RecordBlocks.Stored stored = block.get(RecordBlocks.slot(arrival));
      return new RecordCache.Entry(number, arrival, stored.header(), stored.body());
    } catch (HoldfastException e) {
      throw met(arrival, e);
    }
  }

  /** The block in which a record is, which holds it. */
  List<RecordBlocks.Stored> block(long arrival) {
    List<RecordBlocks.Stored> block = store.blocks().read(number, arrival >>> RecordBlocks.SHIFT);
    if (RecordBlocks.slot(arrival) >= block.size()) {
      throw notInBlock(arrival);
    }
    return block;
  }

  /** Room for one block at a time, for whoever reads one after the other. */
  RecordBlocks.Encoded encoded() {
    return store.blocks().new Encoded();
  }

  /** Reads the block in which a record is, which holds it. */
  void read(RecordBlocks.Encoded block, long arrival) {
    block.read(number, arrival >>> RecordBlocks.SHIFT);
    if (RecordBlocks.slot(arrival) >= block.count()) {
      throw notInBlock(arrival);
    }
  }

  private static HoldfastException notInBlock(long arrival) {
    return new HoldfastException(
        ErrorCode.DAMAGED, "record number " + arrival + " is not in its block");
  }

  /** How many erasures were published so far. */
  long erasures() {
    return erasureCount.get();
  }

  /** Caches what was read, unless an erasure was published since. */
  private void keep(long first, List<RecordBlocks.Stored> records, long erasuresBefore) {
    capsule.lock.lock();
    try {
      for (int i = 0; i < records.size() && erasuresBefore == erasureCount.get(); i++) {
        RecordHeader header = records.get(i).known();
        if (header != null) {
          store.cache().put(number, first + i, header, records.get(i).body());
        }
      }
    } finally {
      capsule.lock.unlock();
    }
  }

  /** A record with its body, as far as it is not erased. */
  Record record(long arrival) {
    refuseBody(arrival);
    RecordCache.Entry entry = entry(arrival);
    RecordHeader header = entry.header();
    Body known = entry.body();
    return known != null
        ? whole(header, known)
        : notOvertaken(
            arrival,
            erasuresBefore -> {
              Record.State state = state(arrival);
              if (!state.hasBody()) {
                return new Record(header, state, null);
              }
              Body body = stored(arrival, header);
              keep(arrival, List.of(new RecordBlocks.Stored(header, body)), erasuresBefore);
              return whole(header, body);
            });
  }

  static Record whole(RecordHeader header, Body body) {
    return new Record(header, body.whole() ? Record.State.WHOLE : Record.State.PARTLY_ERASED, body);
  }

  /** A sealed leaf; null when it is erased. The leaf must exist. */
  byte @Nullable [] leaf(long arrival, RecordHeader header, int leaf, LeafReads chunks) {
    refuseBody(arrival);
    Body known = entry(arrival).body();
    if (known != null) {
      return sealed(known, leaf);
    }
    return notOvertaken(
        arrival,
        erasuresBefore -> {
          if (state(arrival) == Record.State.ERASED) {
            return null;
          }
          return RecordBlocks.inline(header)
              ? sealed(stored(arrival, header), leaf)
              : sealed(chunks.chunk(arrival, header, leaf), Bodies.withinChunk(header, leaf));
        });
  }

  private static byte @Nullable [] sealed(Body body, int index) {
    return body.erased(index) ? null : body.leaf(index);
  }

  /** The chunk of a body in which a leaf lies. */
  Body chunk(long arrival, RecordHeader header, int leaf) {
    return store.bodies().chunk(number, arrival, header, Bodies.chunkOf(header, leaf));
  }

  /** Leaves from one on, whole chunks of them; null when the body is erased. */
  StoredCapsule.@Nullable Leaves leaves(long arrival, RecordHeader header, int from, int bytes) {
    refuseBody(arrival);
    return notOvertaken(
        arrival,
        erasuresBefore -> {
          if (state(arrival) == Record.State.ERASED) {
            return null;
          }
          ByteArrayOutputStream out = new ByteArrayOutputStream();
          int next = from;
          while (next < header.leafCount() && out.size() < bytes) {
            boolean inline = RecordBlocks.inline(header);
            Body chunk = inline ? stored(arrival, header) : chunk(arrival, header, next);
            int within = inline ? next : Bodies.withinChunk(header, next);
            out.writeBytes(chunk.slice(within, chunk.leafCount()));
            next += chunk.leafCount() - within;
          }
          return new StoredCapsule.Leaves(out.toByteArray(), next);
        });
  }

  /** The nodes of a record's Merkle tree. */
  LeafProof.Nodes nodes(long arrival, RecordHeader header) {
    return store.bodies().nodes(number, arrival, header, entry(arrival).body());
  }

  /** Reads a body from where it is kept; a small one was there when its block was read. */
  private Body stored(long arrival, RecordHeader header) {
    if (!RecordBlocks.inline(header)) {
      return store.bodies().read(number, arrival, header);
    }
    Body body = store.blocks().readOne(number, arrival).body();
    if (body == null) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "the body of record " + header.name().brief() + " is not beside its header");
    }
    return body;
  }

  private Record.State state(long arrival) {
    return capsule.withGraph(graph -> graph.bodyState(arrival));
  }

  /** Reads again when an erasure was published meanwhile; other damage is told. */
  private <T extends @Nullable Object> T notOvertaken(long arrival, LongFunction<T> reading) {
    while (true) {
      long erasuresBefore = erasureCount.get();
      try {
        return reading.apply(erasuresBefore);
      } catch (HoldfastException e) {
        HoldfastException damage = met(arrival, e);
        if (erasuresBefore == erasureCount.get()) {
          throw damage;
        }
      }
    }
  }

  /** Drops cached bodies that were just erased. Under the capsule's lock. */
  void forget(Iterable<Long> arrivals) {
    erasureCount.incrementAndGet();
    for (long arrival : arrivals) {
      store.cache().drop(number, arrival);
      Damage known = store.quarantine().find(number, arrival);
      if (known != null && known.part() == Damage.Part.BODY) {
        store.quarantine().lift(number, arrival);
      }
    }
  }

  // ---- Damage
  // ---------------------------------------------------------------------------------------------

  void refuseHeader(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    if (known != null && known.part() == Damage.Part.HEADER) {
      throw refused(known);
    }
  }

  void refuseBody(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    if (known != null && known.part().hidesBody()) {
      throw refused(known);
    }
  }

  private static HoldfastException refused(Damage known) {
    return new HoldfastException(
        ErrorCode.DAMAGED, "record number " + known.arrival() + " is damaged: " + known.what());
  }

  /**
   * Looks closely at a record at which a read has met damage, and notes it if it is there: an
   * erasure that is being committed looks the same to whoever reads meanwhile, until the lock is
   * free.
   */
  HoldfastException met(long arrival, HoldfastException e) {
    if (e.code() == ErrorCode.DAMAGED && store.quarantine().find(number, arrival) == null) {
      capsule.lock.lock();
      try {
        Damage damage = RecordCheck.inspect(store, capsule, arrival);
        if (damage != null) {
          store.quarantine().note(capsule.name(), damage);
        }
      } catch (HoldfastException | AssertionError also) {
        e.addSuppressed(also);
      } finally {
        capsule.lock.unlock();
      }
    }
    return e;
  }
}
