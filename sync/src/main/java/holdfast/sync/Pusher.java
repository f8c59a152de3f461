package holdfast.sync;

import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Sends records and signatures to the peer, a bounded number of batches ahead of its answers: a
 * known difference in {@link Stretches}, a walk newest first. Within a batch parents come first, as
 * the receiver's graph likes them.
 */
final class Pusher {
  private static final int FIRST_WALKED = 16;

  // What is on the way when the peer says "have" was sent for nothing.
  private static final int MOST_WALKED = 256;
  private static final int MOST_UNHEARD = 4;

  /** Where the next batch comes from. */
  interface Source {
    /** Arrival number of the next record, or -1. */
    long next();

    /** A record is on its way. */
    void sent(long arrival, int bytes);

    /** Whether the peer lacks the signatures of a record that is sent. */
    boolean signs(long arrival);

    /** The peer has what hangs below this record. */
    void have(long arrival);
  }

  private record Sent(int number, int records) {}

  private final Replica replica;
  private final RoundOptions options;
  private final ArrayDeque<Sent> underWay = new ArrayDeque<>();
  private final ArrayDeque<long[]> loneSignatures = new ArrayDeque<>();
  private @Nullable Source source;
  private List<Statement.Erasure> erasures = List.of();
  private boolean stale;
  private boolean walks;
  private int batch;
  private int window;
  private int number;
  private long left;
  private long recordsSent;
  private long recordBytes;

  Pusher(Replica replica, RoundOptions options) {
    this.replica = replica;
    this.options = options;
  }

  /** Takes over what the owner erased, as far as the peer knows. */
  void erasures(List<Statement.Erasure> atPeer) {
    erasures = atPeer;
  }

  /** Whether something is to be sent whose body is erased by a statement that the peer lacks. */
  boolean stale() {
    return stale;
  }

  /** Plans to send exactly these. */
  void plan(RoundSet.Bits lacked) {
    walks = false;
    batch = options.batchRecords();
    window = options.window();
    left = lacked.records.cardinality();
    lacked.signatures.forEach((signer, signed) -> {
      for (int at = signed.nextSetBit(0); at >= 0; at = signed.nextSetBit(at + 1)) {
        if (!lacked.records.get(at)) {
          loneSignatures.add(new long[] {at, signer});
          left++;
        }
      }
    });
    source =
        new Stretches(
            lacked,
            Math.min(
                options.stagingBytes() / 4, (long) options.batchBytes() * options.window() / 2));
  }

  /** Plans to send these and their ancestors, newest first, until told "have" (Lu's algorithm). */
  void walk(List<Long> starts) {
    walks = true;
    batch = Math.min(FIRST_WALKED, options.batchRecords());
    window = 1;
    BitSet queued = new BitSet();
    BitSet had = new BitSet();
    PriorityQueue<Long> queue = new PriorityQueue<>(Collections.reverseOrder());
    source =
        new Source() {
          @Override
          public long next() {
            while (!queue.isEmpty()) {
              long arrival = queue.poll();
              if (!had.get((int) arrival)) {
                for (long parent : replica.pointers(arrival)) {
                  enqueue(parent);
                }
                left = queue.size();
                return arrival;
              }
            }
            left = 0;
            return -1;
          }

          private void enqueue(long arrival) {
            if (arrival >= 0 && !queued.get((int) arrival) && replica.exchanged(arrival)) {
              queued.set((int) arrival);
              queue.add(arrival);
            }
          }

          @Override
          public void sent(long arrival, int bytes) {}

          @Override
          public boolean signs(long arrival) {
            return true;
          }

          @Override
          public void have(long arrival) {
            had.set((int) arrival);
          }
        };
    for (long start : starts) {
      if (!queued.get((int) start)) {
        queued.set((int) start);
        queue.add(start);
      }
    }
    left = queue.size();
  }

  /** Whether nothing is left to send and everything sent was answered. */
  boolean idle() {
    return source == null && loneSignatures.isEmpty() && underWay.isEmpty();
  }

  long left() {
    return left;
  }

  long recordsSent() {
    return recordsSent;
  }

  long recordBytes() {
    return recordBytes;
  }

  /** Sends as much as the window allows. */
  void pump(Consumer<Message> send) {
    while (underWay.size() < window) {
      Message.Push push = next();
      if (push == null) {
        return;
      }
      send.accept(push);
    }
  }

  private Message.@Nullable Push next() {
    List<byte[]> signatures = new ArrayList<>();
    while (!loneSignatures.isEmpty() && signatures.size() < options.batchRecords()) {
      long[] one = loneSignatures.remove();
      addSignatures(signatures, one[0], (int) one[1]);
      left--;
    }
    TreeMap<Long, Record> batched = new TreeMap<>();
    int bytes = 0;
    Source from = source;
    while (from != null && signatures.size() < Message.PUSHED / 2) {
      long arrival = from.next();
      if (arrival < 0) {
        source = null;
        break;
      }
      Record record = replica.record(arrival);
      if (record == null) {
        // Damaged here: there is nothing to send. The peer is the one who can help.
        continue;
      }
      if (erasedSince(record)) {
        stale = true;
        return null;
      }
      batched.put(arrival, record);
      bytes += record.encodedSize();
      from.sent(arrival, record.encodedSize());
      if (from.signs(arrival)) {
        addSignatures(signatures, arrival, Entry.RECORD);
      }
      if (batched.size() >= batch || bytes >= options.batchBytes()) {
        break;
      }
    }
    if (batched.isEmpty() && signatures.isEmpty()) {
      return null;
    }
    if (!walks) {
      left -= batched.size();
    }
    List<Record> records = List.copyOf(batched.values());
    byte[] encoded = Record.encodeAll(records);
    recordsSent += records.size();
    recordBytes += encoded.length;
    for (byte[] signature : signatures) {
      recordBytes += signature.length;
    }
    underWay.add(new Sent(number, records.size()));
    return new Message.Push(number++, walks, encoded, signatures);
  }

  private boolean erasedSince(Record record) {
    try {
      record.expectErased(erasures);
      return false;
    } catch (ProofException e) {
      return true;
    }
  }

  private void addSignatures(List<byte[]> to, long arrival, int signer) {
    for (Statement.WriterSignature signature : replica.signaturesOf(arrival)) {
      if (signer == Entry.RECORD || signature.signer() == signer) {
        to.add(signature.encode());
      }
    }
  }

  /** Hears the peer's answer to the oldest push under way. */
  void taken(Message.Taken answer) throws ProofException {
    Sent sent = underWay.poll();
    if (sent == null || sent.number() != answer.number()) {
      throw new ProofException(
          Violation.MALFORMED, "the peer answers a push that is not the oldest under way");
    }
    Source from = source;
    if (from != null && walks) {
      for (long arrival : replica.arrivalsOf(answer.have())) {
        if (arrival >= 0) {
          from.have(arrival);
        }
      }
      batch = Math.min(options.batchRecords(), Math.min(MOST_WALKED, 2 * batch));
      window = Math.min(options.window(), Math.min(MOST_UNHEARD, window + 1));
    }
  }
}
