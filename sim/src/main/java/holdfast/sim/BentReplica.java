package holdfast.sim;

import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.capsule.ProvenLog;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.sync.Entry;
import holdfast.sync.MemoryReplica;
import holdfast.sync.Replica;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a round sees of a replica when one of the {@link Bug}s is planted. */
final class BentReplica implements Replica {
  private final MemoryReplica real;
  private final Bug bug;
  private final Map<Hash, Record> written;
  private final Set<Long> queued = new HashSet<>();

  /**
   * A replica seen wrongly.
   *
   * @param written all records as their writers made them
   */
  BentReplica(MemoryReplica real, Bug bug, Map<Hash, Record> written) {
    this.real = real;
    this.bug = bug;
    this.written = written;
  }

  @Override
  public Metadata metadata() {
    return real.metadata();
  }

  @Override
  public List<Statement> ownerStatements() {
    return real.ownerStatements();
  }

  @Override
  public long entries() {
    return real.entries();
  }

  @Override
  public List<Entry> entries(long from, long to) {
    List<Entry> entries = real.entries(from, to);
    return bug == Bug.SIGNATURES_NOT_COMPARED
        ? entries.stream().filter(entry -> entry.signer() == Entry.RECORD).toList()
        : entries;
  }

  @Override
  public void eachPlace(long from, long to, ProvenLog.Visitor visitor) {
    real.eachPlace(
        from,
        to,
        (position, arrival, signer) -> {
          if (bug != Bug.SIGNATURES_NOT_COMPARED || signer == Entry.RECORD) {
            visitor.visit(position, arrival, signer);
          }
        });
  }

  @Override
  public long[] arrivalsOf(List<Hash> names) {
    return real.arrivalsOf(names);
  }

  @Override
  public boolean proven(long arrival) {
    return bug == Bug.UNPROVEN_COUNTS || real.proven(arrival);
  }

  @Override
  public Hash nameOf(long arrival) {
    return real.nameOf(arrival);
  }

  @Override
  public @Nullable Record record(long arrival) {
    Record record = real.record(arrival);
    return record != null && bug == Bug.ERASED_IS_SENT ? written.get(record.name()) : record;
  }

  @Override
  public List<Statement.WriterSignature> signaturesOf(long arrival) {
    return real.signaturesOf(arrival);
  }

  @Override
  public long[] pointers(long arrival) {
    long[] pointers = real.pointers(arrival);
    if (bug == Bug.HEAD_ALONE_IS_SENT) {
      Arrays.fill(pointers, -1);
    } else if (bug == Bug.QUEUED_MEANS_HAD) {
      for (int i = 0; i < pointers.length; i++) {
        if (pointers[i] >= 0 && !queued.add(pointers[i])) {
          Arrays.fill(pointers, i, pointers.length, -1);
        }
      }
    }
    return pointers;
  }

  @Override
  public long[] provenHeads(int limit) {
    return switch (bug) {
      case UNPROVEN_COUNTS -> real.graph().heads(limit);
      case ISOLATED_IS_NO_HEAD ->
          Arrays.stream(real.provenHeads(limit)).filter(this::hasParent).toArray();
      case LACKING_OFFERS_NOTHING ->
          real.missingNames(1).isEmpty() ? real.provenHeads(limit) : new long[0];
      default -> real.provenHeads(limit);
    };
  }

  private boolean hasParent(long arrival) {
    return Arrays.stream(real.pointers(arrival)).anyMatch(parent -> parent >= 0);
  }

  @Override
  public List<Hash> missingNames(int limit) {
    return switch (bug) {
      case ABSENT_COUNTS_AS_PRESENT -> List.of();
      case HOLES_BELOW_ROOTS_ONLY -> missingBelow(real.graph().roots(limit));
      default -> real.missingNames(limit);
    };
  }

  private List<Hash> missingBelow(long[] roots) {
    List<Hash> pointedAt = new ArrayList<>();
    for (long root : roots) {
      Record record = written.get(real.nameOf(root));
      if (record != null) {
        pointedAt.addAll(record.header().pointers());
      }
    }
    return pointedAt.stream()
        .distinct()
        .filter(name -> real.arrivalsOf(List.of(name))[0] < 0)
        .toList();
  }

  @Override
  public boolean awaitedByProven(Hash name) {
    return real.awaitedByProven(name);
  }

  @Override
  public boolean exchanged(long arrival) {
    return real.exchanged(arrival);
  }
}
