package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Opener;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;

/**
 * A key-value store over one capsule: each flush is one record, its leaves are the changes. Only an
 * index is held in memory, from keys to where their last change lies.
 *
 * <p>It signs as late as it can (DCS paper, section 6.4): when a read touches a record that is not
 * signed yet, the newest record is signed, which proves all before it.
 *
 * <p><b>Which change wins.</b> Branches are merged by the last writer: of two changes of a key the
 * one with the greater (claimed time, record name, leaf index) wins, in this order. A writer claims
 * a time greater than that of every record it has seen, so a change made in knowledge of another
 * always beats it; only truly concurrent changes are decided by clocks and names. The rule looks at
 * records alone, so every reader of the same records arrives at the same state, in whatever order
 * they came.
 *
 * <p>A writer among several can write what is no change. Such leaves are passed over by every
 * reader alike, whoever serves them, and are named by {@link #unreadable}.
 *
 * <p>Over several servers it is written to all of them, and {@link #refresh} looks at so many that
 * at least one of them has whatever was acknowledged. A value is taken from any that has it.
 *
 * <p>Not safe for use by several threads.
 */
public final class KeyValueCapsule implements AutoCloseable {
  private static final int PAGE = 1000;
  private static final int LEAVES_PER_RECORD = 4096;

  private static final Comparator<Place> ORDER =
      Comparator.comparingLong(Place::timeMillis)
          .thenComparing(Place::record)
          .thenComparingInt(Place::leaf);

  private final CapsuleWriter writer;
  private final ReplicatedReader reader;
  private final Opener opener;

  private final TreeMap<Bytes, Place> index =
      new TreeMap<>((a, b) -> java.util.Arrays.compareUnsigned(a.unsafeArray(), b.unsafeArray()));
  private final SequencedMap<Bytes, Mutation> pending = new LinkedHashMap<>();
  private final Map<Hash, Long> unsigned = new HashMap<>();
  private final SequencedMap<Hash, Unreadable> unreadable = new LinkedHashMap<>();
  private long newestMillis;

  /** Where each server is looked at from; what came before that is known. */
  private final Map<Server, Long> nextArrivals = new HashMap<>();

  /** Where a change of a key lies. */
  private record Place(long timeMillis, Hash record, int leaf, boolean deletion) {}

  /**
   * One change in the history of a key.
   *
   * @param value absent for a deletion
   */
  public record Version(Hash record, int leaf, long timeMillis, Optional<Bytes> value) {}

  /**
   * A proven record with leaves that cannot be opened with the keys held, or are not changes.
   *
   * @param writer index of the writer in the metadata, as the header claims
   * @param leaves how many leaves; the others count
   * @param why what is wrong with the first of them
   */
  public record Unreadable(Hash record, int writer, int leaves, String why) {}

  private KeyValueCapsule(CapsuleWriter writer, ReplicatedReader reader, Opener opener) {
    this.writer = writer;
    this.reader = reader;
    this.opener = opener;
  }

  private static WriterOptions options() {
    return WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand());
  }

  /** Opens the store in a capsule and rebuilds its index from what is proven there. */
  public static KeyValueCapsule open(
      Server server, Hash capsule, SigningKey writerKey, ContentKey key) throws ProofException {
    return opened(
        server.openWriter(capsule, writerKey, key, options()),
        new ReplicatedReader(List.of(server), capsule, List.of(key), ReaderOptions.defaults()),
        new Opener(capsule, List.of(key)));
  }

  /**
   * Opens the store in a capsule that several servers keep, and rebuilds its index from what is
   * proven there. It follows the owner to later placements.
   *
   * @param replication how many servers acknowledge each change; so many of the others have to
   *     answer that none of it is missed
   */
  public static KeyValueCapsule open(
      Replicas replicas, SigningKey writerKey, ContentKey key, ReplicationOptions replication)
      throws ProofException {
    return opened(
        replicas.openWriter(writerKey, key, options(), replication),
        replicas.openReader(List.of(key), ReaderOptions.defaults(), replication.needed()),
        new Opener(replicas.placement().capsule(), List.of(key)));
  }

  private static KeyValueCapsule opened(
      CapsuleWriter writer, ReplicatedReader reader, Opener opener) throws ProofException {
    KeyValueCapsule opened = new KeyValueCapsule(writer, reader, opener);
    try {
      opened.refresh();
      return opened;
    } catch (ProofException | RuntimeException e) {
      try {
        writer.close();
      } catch (ProofException | RuntimeException also) {
        e.addSuppressed(also);
      }
      reader.close();
      throw e;
    }
  }

  // ---- Reading the capsule
  // ------------------------------------------------------------------------

  /**
   * Takes in what others have written, and what is proven by now.
   *
   * @throws HoldfastException when too few servers answer to know of everything that was
   *     acknowledged
   */
  public void refresh() throws ProofException {
    flush();
    Set<Hash> taken = new HashSet<>();
    reader.askEnough(one -> {
      refresh(one, taken);
      return one;
    });
  }

  private void refresh(CapsuleReader from, Set<Hash> taken) throws ProofException {
    long next = nextArrivals.getOrDefault(from.server(), 0L);
    long resume = next;
    boolean gap = false;
    for (boolean end = false; !end; ) {
      ArrivalPage page = from.page(next, PAGE, false);
      List<Hash> names =
          page.records().stream().map(Record::name).filter(name -> !taken.contains(name)).toList();
      for (ReadResult result : from.readAll(names)) {
        switch (result) {
          case ReadResult.Proven one -> take(one.record(), taken);
          case ReadResult.Erased one -> take(one.record(), taken);
          case ReadResult.Unproven one -> gap = true;
          case ReadResult.Outside one -> {}
          case ReadResult.Absent one -> throw lost(one.name());
          case ReadResult.Damaged one -> throw lost(one.name());
          case ReadResult.Cached one -> throw new AssertionError("records were asked for");
        }
      }
      next = page.next();
      end = page.end() || page.records().isEmpty();
      resume = gap ? resume : next;
    }
    // What was not proven yet is looked at again next time.
    nextArrivals.put(from.server(), resume);
  }

  private static HoldfastException lost(Hash name) {
    return new HoldfastException(
        ErrorCode.DAMAGED,
        "record " + name.brief() + " is listed by the server and cannot be read there");
  }

  private void take(Record record, Set<Hash> taken) {
    RecordHeader header = record.header();
    taken.add(header.name());
    newestMillis = Math.max(newestMillis, header.timeMillis());
    eachChange(
        record,
        (leaf, mutation) ->
            place(
                mutation.key(),
                new Place(header.timeMillis(), header.name(), leaf, mutation.value() == null)));
  }

  /** Is told of the changes of a record. */
  @FunctionalInterface
  private interface Visitor {
    void change(int leaf, Mutation mutation);
  }

  /**
   * Visits what a proven record changes. The server has done its part with the proof: what cannot
   * be opened or understood now was made so by the record's writer, and is passed over and noted.
   */
  private void eachChange(Record record, Visitor visitor) {
    Body body = record.body();
    if (body == null) {
      return;
    }
    RecordHeader header = record.header();
    int failed = 0;
    String why = "";
    for (int leaf = 0; leaf < body.leafCount(); leaf++) {
      if (!body.erased(leaf)) {
        Mutation mutation;
        try {
          mutation = Mutation.decode(opener.open(header, leaf, body.leaf(leaf)));
        } catch (ProofException e) {
          why = failed++ == 0 ? String.valueOf(e.getMessage()) : why;
          continue;
        }
        visitor.change(leaf, mutation);
      }
    }
    if (failed > 0) {
      unreadable.put(header.name(), new Unreadable(header.name(), header.writer(), failed, why));
    }
  }

  private void place(Bytes key, Place candidate) {
    Place known = index.get(key);
    if (known == null || ORDER.compare(candidate, known) > 0) {
      index.put(key, candidate);
    }
  }

  // ---- Changes
  // ---------------------------------------------------------------------------------------

  /** Sets a value. Durable after {@link #flush}. */
  public void put(Bytes key, Bytes value) throws ProofException {
    change(new Mutation(key, value));
  }

  /** Removes a key. Durable after {@link #flush}. */
  public void delete(Bytes key) throws ProofException {
    change(new Mutation(key, null));
  }

  private void change(Mutation mutation) throws ProofException {
    if (mutation.key().size() > 0xFFFF) {
      throw new IllegalArgumentException("a key has at most 65535 bytes");
    }
    // The last change of a key before a flush is the only one anybody could have seen.
    pending.remove(mutation.key());
    pending.put(mutation.key(), mutation);
    if (pending.size() >= LEAVES_PER_RECORD) {
      write();
    }
  }

  private void write() throws ProofException {
    if (pending.isEmpty()) {
      return;
    }
    List<byte[]> leaves = pending.values().stream().map(Mutation::encode).toList();
    // Nobody can claim a time after the last one there is: a writer that does claims the last.
    long next = newestMillis == Long.MAX_VALUE ? newestMillis : newestMillis + 1;
    newestMillis = Math.max(System.currentTimeMillis(), next);
    Hash record = writer.append(leaves, newestMillis);
    int leaf = 0;
    for (Mutation mutation : pending.values()) {
      place(mutation.key(), new Place(newestMillis, record, leaf++, mutation.value() == null));
    }
    unsigned.put(record, newestMillis);
    pending.clear();
  }

  /** Makes all changes so far durable; they are not signed by this. */
  public void flush() throws ProofException {
    write();
    writer.commitOrThrow();
  }

  /** Makes all changes so far durable and signed. */
  public void sign() throws ProofException {
    write();
    writer.sign();
    writer.commitOrThrow();
    unsigned.clear();
  }

  // ---- Questions
  // ---------------------------------------------------------------------------------------

  /** The value of a key, proven; absent when there is none. */
  public Optional<Bytes> get(Bytes key) throws ProofException {
    return getAll(List.of(key)).getFirst();
  }

  /** The values of many keys, proven. */
  public List<Optional<Bytes>> getAll(List<Bytes> keys) throws ProofException {
    List<Optional<Bytes>> values = new ArrayList<>(keys.size());
    List<ReadResult.LeafName> wanted = new ArrayList<>();
    List<Integer> positions = new ArrayList<>();
    boolean late = false;
    for (Bytes key : keys) {
      Mutation mine = pending.get(key);
      Place place = index.get(key);
      if (mine != null) {
        values.add(Optional.ofNullable(mine.value()));
      } else {
        if (place != null && !place.deletion()) {
          positions.add(values.size());
          wanted.add(new ReadResult.LeafName(place.record(), place.leaf()));
          late |= unsigned.containsKey(place.record());
        }
        values.add(Optional.empty());
      }
    }
    if (late) {
      sign();
    }
    List<ReadResult.LeafResult> results = reader.readLeaves(wanted);
    for (int i = 0; i < results.size(); i++) {
      values.set(positions.get(i), value(results.get(i)));
    }
    return values;
  }

  private Optional<Bytes> value(ReadResult.LeafResult result) throws ProofException {
    return switch (result) {
      case ReadResult.LeafResult.Proven(var name, var header, var sealed, var voucher) ->
          Optional.ofNullable(
              Mutation.decode(opener.open(header, name.leaf(), sealed.unsafeArray())).value());
      case ReadResult.LeafResult.Missing(var name, var why) -> {
        if (why == ReadResult.LeafResult.Why.ERASED) {
          yield Optional.empty();
        }
        throw new HoldfastException(
            ErrorCode.NOT_FOUND,
            "leaf "
                + name.leaf()
                + " of record "
                + name.record().brief()
                + " cannot be read: "
                + why);
      }
    };
  }

  /** The keys that begin with a prefix and have a value, in order, at most {@code limit}. */
  public SequencedMap<Bytes, Bytes> scan(Bytes prefix, int limit) throws ProofException {
    write();
    List<Bytes> keys = new ArrayList<>();
    for (Map.Entry<Bytes, Place> entry : index.tailMap(prefix, true).entrySet()) {
      if (keys.size() == limit || !startsWith(entry.getKey(), prefix)) {
        break;
      }
      if (!entry.getValue().deletion()) {
        keys.add(entry.getKey());
      }
    }
    List<Optional<Bytes>> values = getAll(keys);
    SequencedMap<Bytes, Bytes> found = new LinkedHashMap<>();
    for (int i = 0; i < keys.size(); i++) {
      Bytes key = keys.get(i);
      values.get(i).ifPresent(value -> found.put(key, value));
    }
    return found;
  }

  private static boolean startsWith(Bytes key, Bytes prefix) {
    return key.size() >= prefix.size()
        && java.util.Arrays.equals(
            key.unsafeArray(), 0, prefix.size(), prefix.unsafeArray(), 0, prefix.size());
  }

  /** Every change of a key, the winning one last. Reads the whole capsule. */
  public List<Version> history(Bytes key) throws ProofException {
    sign();
    List<Version> versions = new ArrayList<>();
    Set<Hash> seen = new HashSet<>();
    reader.askEnough(one -> {
      versions(key, one, seen, versions);
      return one;
    });
    versions.sort(
        Comparator.comparingLong(Version::timeMillis)
            .thenComparing(Version::record)
            .thenComparingInt(Version::leaf));
    return versions;
  }

  private void versions(Bytes key, CapsuleReader at, Set<Hash> seen, List<Version> to)
      throws ProofException {
    long from = 0;
    for (boolean end = false; !end; ) {
      ArrivalPage page = at.page(from, PAGE, false);
      List<Hash> names =
          page.records().stream().map(Record::name).filter(name -> !seen.contains(name)).toList();
      for (ReadResult result : at.readAll(names)) {
        if (result instanceof ReadResult.Proven one && seen.add(one.name())) {
          versions(key, one.record(), to);
        } else if (result instanceof ReadResult.Erased one && seen.add(one.name())) {
          versions(key, one.record(), to);
        }
      }
      from = page.next();
      end = page.end() || page.records().isEmpty();
    }
  }

  private void versions(Bytes key, Record record, List<Version> to) {
    eachChange(
        record,
        (leaf, mutation) -> {
          if (mutation.key().equals(key)) {
            to.add(
                new Version(
                    record.name(),
                    leaf,
                    record.header().timeMillis(),
                    Optional.ofNullable(mutation.value())));
          }
        });
  }

  /**
   * The records that hold leaves which are proven, and are no changes that anybody could read: what
   * else they hold counts. It is for people to decide what to think of the writer.
   */
  public List<Unreadable> unreadable() {
    return List.copyOf(unreadable.values());
  }

  /** Keys with a value. */
  public long size() {
    return index.values().stream().filter(place -> !place.deletion()).count()
        + pending.values().stream()
            .filter(m -> m.value() != null && !index.containsKey(m.key()))
            .count();
  }

  @Override
  public void close() throws ProofException {
    try {
      sign();
      writer.close();
    } finally {
      reader.close();
    }
  }
}
