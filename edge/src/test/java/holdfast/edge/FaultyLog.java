package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/** A capsule in memory that fails as it is told. */
final class FaultyLog implements EdgeLog {
  private final List<Written> written = new ArrayList<>();
  private final ArrayDeque<Fault> faults = new ArrayDeque<>();

  /** Appends wait here while a test holds it. */
  final Semaphore gate = new Semaphore(1);

  /** A record; a leaf that was erased has no bytes. */
  private record Written(Hash name, long timeMillis, List<byte[]> leaves) {
    Written erased() {
      return new Written(name, timeMillis, leaves.stream().map(leaf -> new byte[0]).toList());
    }
  }

  /** What happens to an append. */
  enum Fault {
    NONE,
    /** It is refused, and not stored. */
    DISK_FULL,
    /** The answer is lost; it is stored. */
    LOST_BUT_DONE,
    /** The answer is lost; it is not stored. */
    LOST_AND_NOT_DONE,
    /** It is stored without its leaves: the owner had erased the time. */
    ERASED
  }

  /** The owner erases all leaves that are stored. */
  synchronized void erase() {
    written.replaceAll(one -> one.erased());
  }

  /** What becomes of the next appends; none of it of those after. */
  synchronized void next(Fault... planned) {
    faults.addAll(List.of(planned));
  }

  @Override
  public Appended append(List<byte[]> leaves, long timeMillis) {
    gate.acquireUninterruptibly();
    gate.release();
    synchronized (this) {
      Fault planned = faults.poll();
      Fault fault = planned == null ? Fault.NONE : planned;
      Hash name =
          Sha256.get()
              .hash(
                  Domain.RECORD,
                  ("record " + written.size()).getBytes(java.nio.charset.StandardCharsets.UTF_8));
      Written record = new Written(name, timeMillis, leaves);
      switch (fault) {
        case NONE, LOST_BUT_DONE -> written.add(record);
        case ERASED -> written.add(record.erased());
        case DISK_FULL, LOST_AND_NOT_DONE -> {}
      }
      return switch (fault) {
        case NONE -> new Appended.Synced(name);
        case ERASED -> new Appended.Erased(name);
        case DISK_FULL ->
            new Appended.Refused(new HoldfastException(ErrorCode.DISK_FULL, "the disk is full"));
        case LOST_BUT_DONE, LOST_AND_NOT_DONE ->
            new Appended.Unknown(new HoldfastException(ErrorCode.UNREACHABLE, "no answer"));
      };
    }
  }

  @Override
  public synchronized long arrival() {
    return written.size();
  }

  @Override
  public synchronized boolean catchUp(View view) throws ProofException {
    int from = 0;
    for (int i = 0; i < written.size(); i++) {
      if (written.get(i).name().equals(view.mark().record())) {
        from = i + 1;
      }
    }
    for (Written one : written.subList(from, written.size())) {
      List<@Nullable EdgeLeaf> leaves = new ArrayList<>();
      for (byte[] leaf : one.leaves()) {
        leaves.add(leaf.length == 0 ? null : EdgeLeaf.decode(leaf));
      }
      ViewUpdate.apply(view, one.name(), one.timeMillis(), 0, leaves);
    }
    return true;
  }

  synchronized int records() {
    return written.size();
  }
}
