package holdfast.node.replication;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.store.Scan;
import holdfast.store.StoredCapsule;
import holdfast.sync.Entry;
import holdfast.sync.Replica;
import java.util.ArrayList;
import java.util.List;
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

  StoredReplica(StoredCapsule capsule) {
    this.capsule = capsule;
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
    List<Place> places = new ArrayList<>((int) (to - from));
    capsule.withGraph(graph -> {
      graph
          .log()
          .visit(
              from,
              to,
              (position, arrival, signer) -> places.add(new Place(position, arrival, signer)));
      return places;
    });
    List<Entry> entries = new ArrayList<>(places.size());
    for (Place place : places) {
      Hash name = readableName(place.arrival());
      if (name != null) {
        entries.add(new Entry(place.position(), name, place.arrival(), place.signer()));
      }
    }
    return entries;
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
    return !capsule.wantsCopy(arrival)
        && capsule.withGraph(graph -> !graph.closed() || graph.isFinal(arrival));
  }
}
