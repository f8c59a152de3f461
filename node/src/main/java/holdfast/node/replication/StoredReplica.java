package holdfast.node.replication;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Metadata;
import holdfast.capsule.ProvenLog;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.Statement;
import holdfast.store.Scan;
import holdfast.store.StoredCapsule;
import holdfast.sync.Entry;
import holdfast.sync.Replica;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A capsule in the store, as a round reads it. What is damaged here and would be mended by a copy
 * counts as not held, so that the peer sends one. Used by one thread at a time, as its round is.
 */
final class StoredReplica implements Replica {
  private static final Logger LOG = LoggerFactory.getLogger(StoredReplica.class);

  private final StoredCapsule capsule;
  private final Scan scan;
  private final BooleanSupplier gone;

  StoredReplica(StoredCapsule capsule) {
    this(capsule, () -> false);
  }

  /** One whose entries can no more be read when nobody waits for them. */
  StoredReplica(StoredCapsule capsule, BooleanSupplier gone) {
    this.capsule = capsule;
    this.gone = gone;
    this.scan = capsule.scan();
  }

  private record Place(long position, long arrival, int signer) {}

  @Override
  public Metadata metadata() {
    return capsule.metadata();
  }

  @Override
  public List<Statement> ownerStatements() {
    return capsule.ownerStatements();
  }

  @Override
  public long entries() {
    return capsule.withGraph(graph -> graph.log().size());
  }

  @Override
  public List<Entry> entries(long from, long to) {
    if (gone.getAsBoolean()) {
      throw new HoldfastException(ErrorCode.STOPPING, "nobody waits for this any more");
    }
    List<Place> places = places(from, to);
    List<Entry> entries = new ArrayList<>(places.size());
    for (Place place : places) {
      Hash name = readableName(place.arrival());
      if (name != null) {
        entries.add(new Entry(place.position(), name, place.arrival(), place.signer()));
      }
    }
    return entries;
  }

  private List<Place> places(long from, long to) {
    List<Place> places = new ArrayList<>((int) (to - from));
    return capsule.withGraph(graph -> {
      graph
          .log()
          .visit(
              from,
              to,
              (position, arrival, signer) -> places.add(new Place(position, arrival, signer)));
      return places;
    });
  }

  @Override
  public void eachPlace(long from, long to, ProvenLog.Visitor visitor) {
    // A page at a time: whoever writes waits for the graph.
    for (long at = from; at < to; at += Entry.PAGE) {
      for (Place place : places(at, Math.min(to, at + Entry.PAGE))) {
        visitor.visit(place.position(), place.arrival(), place.signer());
      }
    }
  }

  /** The name of a record; null when its header cannot be read, so that a peer sends it again. */
  private @Nullable Hash readableName(long arrival) {
    try {
      return scan.name(arrival);
    } catch (HoldfastException e) {
      requireDamaged(arrival, e);
      return null;
    }
  }

  private static void requireDamaged(long arrival, HoldfastException e) {
    if (e.code() != ErrorCode.DAMAGED) {
      throw e;
    }
    LOG.debug("record number {} is left out of a round: {}", arrival, e.getMessage());
  }

  @Override
  public long[] arrivalsOf(List<Hash> names) {
    return capsule.withGraph(graph -> graph.arrivalsOf(names));
  }

  /** Asks the graph once for all: whoever stores holds it for long at a time. */
  @Override
  public long[] provenOf(List<Hash> names, boolean exchanged) {
    long[] arrivals =
        capsule.withGraph(graph -> {
          long[] found = graph.arrivalsOf(names);
          for (int i = 0; i < found.length; i++) {
            if (found[i] >= 0
                && !(graph.witness(found[i]).proven()
                    && (!exchanged || belongs(graph, found[i])))) {
              found[i] = -1;
            }
          }
          return found;
        });
    for (int i = 0; i < arrivals.length; i++) {
      if (arrivals[i] >= 0 && capsule.wantsCopy(arrivals[i])) {
        arrivals[i] = -1;
      }
    }
    return arrivals;
  }

  private static boolean belongs(RecordGraph graph, long arrival) {
    return !graph.closed() || graph.isFinal(arrival);
  }

  @Override
  public boolean proven(long arrival) {
    return !capsule.wantsCopy(arrival) && provenOnce(arrival);
  }

  /** Whether it is in the proven set, be it damaged or not. */
  private boolean provenOnce(long arrival) {
    return capsule.withGraph(graph -> graph.witness(arrival).proven());
  }

  @Override
  public Hash nameOf(long arrival) {
    return scan.name(arrival);
  }

  @Override
  public @Nullable Record record(long arrival) {
    try {
      return scan.record(arrival);
    } catch (HoldfastException e) {
      requireDamaged(arrival, e);
      return null;
    }
  }

  @Override
  public List<Statement.WriterSignature> signaturesOf(long arrival) {
    return capsule.signaturesOf(arrival);
  }

  @Override
  public long[] pointers(long arrival) {
    return capsule.withGraph(graph -> graph.pointers(arrival));
  }

  @Override
  public long[] provenHeads(int limit) {
    return capsule.withGraph(graph -> graph.provenHeads(limit));
  }

  @Override
  public List<Hash> missingNames(int limit) {
    return capsule.withGraph(graph -> graph.missingNames(limit));
  }

  @Override
  public boolean awaitedByProven(Hash name) {
    long arrival = capsule.withGraph(graph -> graph.arrivalOf(name));
    return arrival < 0
        ? capsule.withGraph(graph -> graph.awaitedByProven(name))
        : capsule.wantsCopy(arrival) && provenOnce(arrival);
  }

  @Override
  public boolean exchanged(long arrival) {
    return !capsule.wantsCopy(arrival) && capsule.withGraph(graph -> belongs(graph, arrival));
  }
}
