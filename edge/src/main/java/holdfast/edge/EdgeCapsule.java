package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.client.ArrivalPage;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The capsule that holds an edge's state, on the edge's own server: flushes are appended to it, and
 * a view is brought up to date from it. A capsule that continues others has them behind it, so that
 * the view is made from all of them, oldest first; see {@link CapsuleChain}.
 */
final class EdgeCapsule implements EdgeLog, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EdgeCapsule.class);
  private static final int PAGE = 1000;
  static final int READ_AT_ONCE = 64;

  private final Server server;
  private final Hash capsule;
  private final @Nullable SigningKey writerKey;
  private final List<ContentKey> contentKeys;
  private final @Nullable EdgeCapsule predecessor;
  private @Nullable CapsuleWriter writer;
  private @Nullable CapsuleReader reader;

  /** After the last record of this capsule that the view has; one of an older capsule has none. */
  private long arrival;

  /**
   * A capsule on a server.
   *
   * @param writerKey the key that writes it; null to read only
   * @param contentKeys oldest epoch first; the newest seals
   * @param predecessor the capsule that this one continues; null for none
   */
  EdgeCapsule(
      Server server,
      Hash capsule,
      @Nullable SigningKey writerKey,
      List<ContentKey> contentKeys,
      @Nullable EdgeCapsule predecessor) {
    if (contentKeys.isEmpty()) {
      throw new HoldfastException(
          ErrorCode.INVALID, "no content key of capsule " + capsule.brief() + " is kept here");
    }
    this.server = server;
    this.capsule = capsule;
    this.writerKey = writerKey;
    this.contentKeys = List.copyOf(contentKeys);
    this.predecessor = predecessor;
  }

  Hash name() {
    return capsule;
  }

  /** The capsules of the edge, oldest first; this one is the last. */
  List<Hash> names() {
    List<Hash> names = predecessor == null ? new ArrayList<>() : predecessor.names();
    names.add(capsule);
    return names;
  }

  /** The capsule of the edge with a name, which must be one of {@link #names}. */
  EdgeCapsule named(Hash name) {
    return predecessor == null || capsule.equals(name) ? this : predecessor.named(name);
  }

  /** The capsule of the edge that holds a record; this one if none does. */
  EdgeCapsule holding(Hash record) throws ProofException {
    for (EdgeCapsule one = this; predecessor != null && one != null; one = one.predecessor) {
      try (CapsuleReader reader = one.openReader(ReaderOptions.withoutCache())) {
        if (!(reader.readHeaders(List.of(record)).getFirst() instanceof ReadResult.Absent)) {
          return one;
        }
      }
    }
    return this;
  }

  // ---- Writing ----------------------------------------------------------------------------------

  @Override
  public Appended append(List<byte[]> leaves, long timeMillis) {
    CapsuleWriter open;
    try {
      open = openWriter();
    } catch (HoldfastException e) {
      return new Appended.Refused(e);
    } catch (ProofException e) {
      return new Appended.Unknown(e);
    }
    try {
      Hash name = open.append(leaves, timeMillis);
      WriteResult result = open.commit().getLast();
      return switch (result) {
        case WriteResult.Stored stored -> {
          arrival++;
          yield stored.entries().stream()
                  .anyMatch(entry -> entry.outcome() == Receipt.Outcome.ERASED)
              ? new Appended.Erased(name)
              : new Appended.Synced(name);
        }
        case WriteResult.Replicated replicated -> {
          arrival++;
          yield new Appended.Synced(name);
        }
        case WriteResult.Refused refused -> {
          // The run of the writer goes on from a record that is not there: it has to begin anew.
          closeWriter();
          yield new Appended.Refused(refused.reason());
        }
        case WriteResult.Unknown unknown -> {
          closeWriter();
          yield new Appended.Unknown(unknown.reason());
        }
      };
    } catch (ProofException | HoldfastException e) {
      closeWriter();
      return new Appended.Unknown(e);
    } catch (RuntimeException | Error e) {
      // The record may be part of the run already. A writer that went on would point at what was
      // never stored, or send it with the next record, behind the back of the view.
      closeWriter();
      throw e;
    }
  }

  private CapsuleWriter openWriter() throws ProofException {
    CapsuleWriter open = writer;
    if (open == null) {
      SigningKey key = writerKey;
      if (key == null) {
        throw new AssertionError("capsule " + capsule.brief() + " is only read here");
      }
      open =
          server.openWriter(
              capsule,
              key,
              contentKeys.getLast(),
              WriterOptions.defaults().withRetry(5000, 20_000));
      writer = open;
    }
    return open;
  }

  private void closeWriter() {
    CapsuleWriter open = writer;
    writer = null;
    if (open != null) {
      try {
        open.close();
      } catch (ProofException | RuntimeException e) {
        // It has failed before, which is why it is closed.
        LOG.debug("a writer that had failed did not close well", e);
      }
    }
  }

  // ---- Recovery ---------------------------------------------------------------------------------

  /** A reader of the capsule; it opens content. For use by one thread at a time. */
  CapsuleReader openReader(ReaderOptions options) throws ProofException {
    return server.openReader(capsule, contentKeys, options);
  }

  private CapsuleReader reader() throws ProofException {
    CapsuleReader open = reader;
    if (open == null) {
      open = openReader(ReaderOptions.defaults());
      reader = open;
    }
    return open;
  }

  @Override
  public long arrival() {
    return arrival;
  }

  @Override
  public boolean catchUp(View view) throws ProofException {
    CapsuleReader from = reader();
    View.Mark mark = view.mark();
    boolean empty = mark.record().equals(Hash.ZERO);
    if (!empty && standsBefore(from, mark)) {
      boolean whole = inOrderOfArrival(from, view, mark);
      arrival = view.mark().arrival();
      return whole;
    }
    if (predecessor == null ? !empty : !predecessor.catchUp(view)) {
      return false;
    }
    View.Mark before = view.mark();
    View.Mark start = new View.Mark(Hash.ZERO, 0, before.number(), before.timeMillis());
    boolean whole = inOrderOfArrival(from, view, start) || inOrderOfLinks(from, view);
    arrival = view.mark().equals(before) ? 0 : view.mark().arrival();
    return whole;
  }

  /** Whether the last record applied is the one before the arrival number that is noted. */
  private static boolean standsBefore(CapsuleReader from, View.Mark mark) throws ProofException {
    if (mark.arrival() == 0) {
      return false;
    }
    List<Record> records = from.page(mark.arrival() - 1, 1, false).records();
    return records.size() == 1 && records.getFirst().name().equals(mark.record());
  }

  /**
   * Applies records as they arrived, as long as each follows the one before.
   *
   * @return whether that is so for all; on false an empty view is still empty
   */
  private boolean inOrderOfArrival(CapsuleReader from, View view, View.Mark mark)
      throws ProofException {
    long next = mark.arrival();
    Hash last = mark.record();
    // First by the headers alone: a restored capsule may hold its records in any order.
    List<Hash> names = new ArrayList<>();
    for (boolean end = false; !end; ) {
      ArrivalPage page = from.page(next, PAGE, false);
      for (Record record : page.records()) {
        if (!follows(record.header(), last)) {
          return false;
        }
        last = record.name();
        names.add(last);
      }
      next = page.next();
      end = page.end() || page.records().isEmpty();
    }
    apply(from, view, names, mark.arrival());
    return true;
  }

  private static boolean follows(RecordHeader header, Hash last) {
    return last.equals(Hash.ZERO) ? header.pointerCount() == 0 : header.pointsAt(last);
  }

  /**
   * Applies all records, each after those it points at; the older first where that leaves a choice.
   */
  private boolean inOrderOfLinks(CapsuleReader from, View view) throws ProofException {
    apply(from, view, linked(from), 0);
    // Arrival numbers say nothing about this order; the next start finds its place by them anyway,
    // because what comes now arrives last.
    view.table.flush();
    return true;
  }

  /** The records of a capsule in the order in which a view applies them. */
  static List<Hash> linked(CapsuleReader from) throws ProofException {
    Map<Hash, RecordHeader> headers = new HashMap<>();
    long next = 0;
    for (boolean end = false; !end; ) {
      ArrivalPage page = from.page(next, PAGE, false);
      page.records().forEach(record -> headers.put(record.name(), record.header()));
      next = page.next();
      end = page.end() || page.records().isEmpty();
    }
    return ordered(headers);
  }

  /** Ancestors first; among those that are free, by time and name. */
  static List<Hash> ordered(Map<Hash, RecordHeader> headers) {
    Map<Hash, List<Hash>> children = new HashMap<>();
    Map<Hash, Integer> waitsFor = new HashMap<>();
    PriorityQueue<RecordHeader> free =
        new PriorityQueue<>(
            Comparator.comparingLong(RecordHeader::timeMillis).thenComparing(RecordHeader::name));
    headers.forEach((name, header) -> {
      int parents = 0;
      for (Hash parent : header.pointers()) {
        if (headers.containsKey(parent)) {
          parents++;
          children.computeIfAbsent(parent, one -> new ArrayList<>()).add(name);
        }
      }
      if (parents == 0) {
        free.add(header);
      } else {
        waitsFor.put(name, parents);
      }
    });
    List<Hash> order = new ArrayList<>(headers.size());
    while (!free.isEmpty()) {
      Hash name = free.remove().name();
      order.add(name);
      for (Hash child : children.getOrDefault(name, List.of())) {
        if (waitsFor.merge(child, -1, Integer::sum) == 0) {
          RecordHeader ready = headers.get(child);
          if (ready != null) {
            free.add(ready);
          }
        }
      }
    }
    return order;
  }

  private void apply(CapsuleReader from, View view, List<Hash> names, long firstArrival)
      throws ProofException {
    ArrayDeque<Hash> left = new ArrayDeque<>(names);
    long arrival = firstArrival;
    while (!left.isEmpty()) {
      List<Hash> some = new ArrayList<>();
      while (some.size() < READ_AT_ONCE && !left.isEmpty()) {
        some.add(left.remove());
      }
      for (ReadResult result : from.readAll(some)) {
        arrival++;
        switch (result) {
          case ReadResult.Proven one -> apply(from, view, one.record(), arrival);
          case ReadResult.Erased one -> apply(from, view, one.record(), arrival);
          case ReadResult.Unproven one -> {}
          case ReadResult.Outside one -> {}
          case ReadResult.Absent one -> throw lost(one.name());
          case ReadResult.Damaged one -> throw lost(one.name());
          case ReadResult.Cached one -> throw new AssertionError("records were asked for");
        }
      }
    }
  }

  private static HoldfastException lost(Hash name) {
    return new HoldfastException(
        ErrorCode.DAMAGED,
        "record "
            + name.brief()
            + " of the edge's capsule cannot be read here; its masters may still have it");
  }

  private static void apply(CapsuleReader from, View view, Record record, long nextArrival)
      throws ProofException {
    RecordHeader header = record.header();
    Body body = record.body();
    List<@Nullable EdgeLeaf> leaves = new ArrayList<>();
    if (body == null) {
      leaves.addAll(java.util.Collections.nCopies(header.leafCount(), null));
    } else {
      for (byte[] leaf : from.opener().openAll(header, body)) {
        leaves.add(leaf == null ? null : EdgeLeaf.decode(leaf));
      }
    }
    ViewUpdate.apply(view, header.name(), header.timeMillis(), nextArrival, leaves);
  }

  @Override
  public void close() {
    if (predecessor != null) {
      predecessor.close();
    }
    closeWriter();
    CapsuleReader open = reader;
    reader = null;
    if (open != null) {
      open.close();
    }
  }
}
