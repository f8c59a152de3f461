package holdfast.node.replication;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.RecordHeader;
import holdfast.store.Scan;
import holdfast.store.StoredCapsule;
import holdfast.sync.Entry;
import holdfast.sync.Marker;
import java.util.ArrayList;
import java.util.List;

/**
 * Measures what a peer is not known to hold. Goes on where it stopped, so that each record is
 * looked at once, however long the peer is gone; one call looks at a bounded number of them and
 * estimates the rest.
 */
final class BacklogMeter {
  /** Entries looked at in one call at most. */
  private static final int CALL_ENTRIES = 1 << 14;

  /** Entries read under the lock of the capsule's graph at once. */
  private static final int CHUNK_ENTRIES = 1 << 12;

  private Marker marker = Marker.NONE;
  private long measured;
  private long records;
  private long bytes;
  private long oldestMadeMillis = -1;

  /**
   * Measures.
   *
   * @param known what the peer is known to hold
   * @param nowMillis by the clock of whoever wrote the records, for their age
   */
  synchronized Backlog measure(StoredCapsule capsule, Marker known, long nowMillis) {
    if (!known.equals(marker)) {
      marker = known;
      measured = known.position();
      records = 0;
      bytes = 0;
      oldestMadeMillis = -1;
    }
    long size = capsule.withGraph(graph -> graph.log().size());
    long end = Math.min(size, measured + CALL_ENTRIES);
    while (measured < end) {
      long to = Math.min(end, measured + CHUNK_ENTRIES);
      count(capsule, measured, to);
      measured = to;
    }
    long rest = size - measured;
    long perRecord = records == 0 ? 0 : bytes / records;
    return new Backlog(
        records + rest,
        bytes + rest * perRecord,
        oldestMadeMillis < 0 ? 0 : Math.max(0, nowMillis - oldestMadeMillis));
  }

  private void count(StoredCapsule capsule, long from, long to) {
    List<Long> arrivals = new ArrayList<>();
    capsule.withGraph(graph -> {
      graph
          .log()
          .visit(
              from,
              to,
              (position, arrival, signer) -> {
                if (signer == Entry.RECORD && !marker.covers(position)) {
                  arrivals.add(arrival);
                }
              });
      return arrivals;
    });
    // By scan: what is only counted is not to push out of the cache what is read.
    Scan scan = capsule.scan();
    for (long arrival : arrivals) {
      records++;
      try {
        RecordHeader header = scan.header(arrival);
        bytes += header.size() + header.sealedSize();
        if (oldestMadeMillis < 0) {
          oldestMadeMillis = header.timeMillis();
        }
      } catch (HoldfastException e) {
        // One that has rotted here still counts: the peer lacks it.
        if (e.code() != ErrorCode.DAMAGED) {
          throw e;
        }
      }
    }
  }
}
