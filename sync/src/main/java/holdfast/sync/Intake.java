package holdfast.sync;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What comes from the peer, up to the point where it may be stored: every record is checked against
 * its name, body and capsule, every signature against its key; and only what a signature reaches is
 * let through. The rest waits in a bounded staging area until something reaches it, and is
 * forgotten at the end of the round.
 */
final class Intake {
  private static final int WAITING_SIGNATURES = 4096;
  private static final int SIGNATURE_BYTES = 1 + 2 * Hash.SIZE + 2 + 64;

  /**
   * A record that was not let through yet.
   *
   * @param place how many records came before it
   */
  private record Came(long place, Record record) {}

  /**
   * What may be stored now.
   *
   * @param records in the order in which they came: a peer that sends parents first spares this
   *     side's graph the noting and filling of holes
   * @param waited how many of the records, which are the first of them, came with an earlier push
   */
  record Accepted(List<Record> records, int waited, List<Statement> signatures) {
    boolean isEmpty() {
      return records.isEmpty() && signatures.isEmpty();
    }
  }

  private final Replica replica;
  private final RoundOptions options;
  private final Hash capsule;
  private final Map<Hash, Came> staged = new LinkedHashMap<>();
  private final Map<Hash, List<Statement.WriterSignature>> waitingSignatures =
      new LinkedHashMap<>();
  private List<Statement.Erasure> erasures = List.of();
  private long stagedBytes;
  private long cameBefore;

  /** Names that accepted records point at, and that did not come yet. */
  private final Set<Hash> awaited = new HashSet<>();

  Intake(Replica replica, RoundOptions options) {
    this.replica = replica;
    this.options = options;
    this.capsule = replica.metadata().name();
  }

  /** Bytes of what waits for something that proves it, and of names that are waited for. */
  long heldBytes() {
    long signatures = 0;
    for (List<Statement.WriterSignature> waiting : waitingSignatures.values()) {
      signatures += waiting.size() * (long) SIGNATURE_BYTES;
    }
    return stagedBytes + signatures + awaited.size() * Message.HELD_NAME_BYTES;
  }

  /** Takes over what the owner erased, as far as this side knows. */
  void erasures(List<Statement.Erasure> known) {
    erasures = known;
  }

  /** Checks what the peer pushed, and says what of it, or of what waited, may be stored. */
  Accepted take(List<Record> records, List<Statement.WriterSignature> signatures)
      throws ProofException {
    long first = cameBefore;
    Map<Hash, Came> fresh = LinkedHashMap.newLinkedHashMap(records.size());
    for (Record record : records) {
      check(record);
      fresh.put(record.name(), new Came(cameBefore++, record));
    }
    for (Statement.WriterSignature signature : unknown(signatures)) {
      List<Statement.WriterSignature> waiting =
          waitingSignatures.computeIfAbsent(signature.record(), none -> new ArrayList<>());
      if (waiting.contains(signature)) {
        continue;
      }
      signature.verify(replica.metadata());
      // Who holds a writer's key can make others of the same: one of them is enough.
      if (waiting.stream().noneMatch(other -> other.signer() == signature.signer())) {
        waiting.add(signature);
      }
    }
    List<Came> reached = reach(fresh);
    Set<Hash> coming = HashSet.newHashSet(reached.size());
    reached.forEach(came -> coming.add(came.record().name()));
    await(reached, coming);
    reached.sort(Comparator.comparingLong(Came::place));
    Accepted accepted =
        new Accepted(
            reached.stream().map(Came::record).toList(),
            Math.toIntExact(reached.stream().filter(came -> came.place() < first).count()),
            new ArrayList<>());
    takeSignatures(accepted, coming);
    stage(fresh);
    return accepted;
  }

  /**
   * Those that are not held byte for byte: what was verified once is not verified again, however
   * often it comes. What stands in the place of a damaged one is none of these.
   */
  private List<Statement.WriterSignature> unknown(List<Statement.WriterSignature> signatures) {
    Set<Statement.WriterSignature> left = new LinkedHashSet<>(signatures);
    List<Hash> signed = left.stream().map(Statement.WriterSignature::record).distinct().toList();
    for (long arrival : replica.arrivalsOf(signed)) {
      if (arrival >= 0 && replica.exchanged(arrival)) {
        replica.signaturesOf(arrival).forEach(left::remove);
      }
    }
    return List.copyOf(left);
  }

  private void check(Record record) throws ProofException {
    RecordHeader header = record.header();
    if (!header.isOf(capsule)) {
      throw new ProofException(
          Violation.WRONG_CAPSULE,
          "the peer sent record " + header.name().brief() + " of another capsule");
    }
    if (record.state() == Record.State.HEADER_ONLY) {
      throw new ProofException(
          Violation.MISSING, "the peer sent record " + header.name().brief() + " without its body");
    }
    replica.metadata().writerKey(header.writer());
    Body body = record.body();
    if (body != null) {
      body.expect(header);
    }
    record.expectErased(erasures);
  }

  /**
   * Follows pointers from what is signed or awaited; what they reach is accepted. The store passes
   * over what of that is here already. Only what is left is looked up: nearly always all of a push
   * is reached and new, and to ask for names that are not there is dear.
   */
  private List<Came> reach(Map<Hash, Came> fresh) {
    List<Came> accepted = new ArrayList<>(fresh.size());
    ArrayDeque<Hash> reached = new ArrayDeque<>(waitingSignatures.keySet());
    if (!awaited.isEmpty()) {
      for (Hash name : fresh.keySet()) {
        if (awaited.contains(name)) {
          reached.add(name);
        }
      }
    }
    follow(reached, fresh, accepted);
    dropProven(fresh);
    // What is left may be awaited by a record that was proven before this round.
    for (Hash name : List.copyOf(fresh.keySet())) {
      if (fresh.containsKey(name) && replica.awaitedByProven(name)) {
        reached.add(name);
        follow(reached, fresh, accepted);
      }
    }
    return accepted;
  }

  /** What is proven here needs no waiting for something that proves it. */
  private void dropProven(Map<Hash, Came> fresh) {
    List<Hash> names = List.copyOf(fresh.keySet());
    long[] here = names.isEmpty() ? new long[0] : replica.provenOf(names, false);
    for (int i = 0; i < here.length; i++) {
      if (here[i] >= 0) {
        fresh.remove(names.get(i));
      }
    }
  }

  private void follow(ArrayDeque<Hash> reached, Map<Hash, Came> fresh, List<Came> accepted) {
    for (Hash name = reached.poll(); name != null; name = reached.poll()) {
      Came came = fresh.remove(name);
      if (came == null) {
        came = staged.remove(name);
        stagedBytes -= came == null ? 0 : came.record().encodedSize();
      }
      if (came != null) {
        accepted.add(came);
        RecordHeader header = came.record().header();
        for (int i = 0; i < header.pointerCount(); i++) {
          Hash parent = header.pointer(i);
          if (fresh.containsKey(parent) || staged.containsKey(parent)) {
            reached.add(parent);
          }
        }
      }
    }
  }

  /**
   * Notes what the accepted records point at and is not here: when it comes, it is proven.
   *
   * @param coming the names of the accepted
   */
  private void await(List<Came> accepted, Set<Hash> coming) {
    Set<Hash> parents = new LinkedHashSet<>();
    for (Came came : accepted) {
      RecordHeader header = came.record().header();
      for (int i = 0; i < header.pointerCount(); i++) {
        Hash parent = header.pointer(i);
        if (!coming.contains(parent)) {
          parents.add(parent);
        }
      }
    }
    stored(coming);
    parents.removeAll(awaited);
    List<Hash> names = List.copyOf(parents);
    long[] arrivals = names.isEmpty() ? new long[0] : replica.arrivalsOf(names);
    for (int i = 0; i < arrivals.length; i++) {
      if (arrivals[i] < 0) {
        awaited.add(names.get(i));
      }
    }
  }

  /** What was accepted is stored by now, and found there. */
  void stored(Collection<Hash> records) {
    if (!awaited.isEmpty()) {
      records.forEach(awaited::remove);
    }
  }

  /** Lets signatures through whose records are here or come with them. */
  private void takeSignatures(Accepted accepted, Set<Hash> coming) {
    List<Hash> absent = new ArrayList<>();
    for (Hash signed : List.copyOf(waitingSignatures.keySet())) {
      if (coming.contains(signed)) {
        letThrough(signed, accepted);
      } else {
        absent.add(signed);
      }
    }
    long[] arrivals = absent.isEmpty() ? new long[0] : replica.arrivalsOf(absent);
    for (int i = 0; i < arrivals.length; i++) {
      if (arrivals[i] >= 0) {
        letThrough(absent.get(i), accepted);
      }
    }
    while (waitingSignatures.size() > WAITING_SIGNATURES) {
      waitingSignatures.remove(waitingSignatures.keySet().iterator().next());
    }
  }

  private void letThrough(Hash signed, Accepted accepted) {
    List<Statement.WriterSignature> taken = waitingSignatures.remove(signed);
    if (taken != null) {
      accepted.signatures().addAll(taken);
    }
  }

  private void stage(Map<Hash, Came> fresh) {
    for (Came came : fresh.values()) {
      int bytes = came.record().encodedSize();
      if (stagedBytes + bytes <= options.stagingBytes()
          && staged.putIfAbsent(came.record().name(), came) == null) {
        stagedBytes += bytes;
      }
    }
  }
}
