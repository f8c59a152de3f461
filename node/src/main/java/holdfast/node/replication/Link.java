package holdfast.node.replication;

import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.store.StoredCapsule;
import holdfast.sync.Marker;
import holdfast.sync.Progress;
import holdfast.wire.PeerStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One capsule and one peer that keeps it too: what is known, and when to meet again. */
final class Link {
  private static final Logger LOG = LoggerFactory.getLogger(Link.class);
  private static final int MARKERS = 2;

  /** Of the rounds that are held while copies are wanted, every so many are over everything. */
  private static final int COPIES_EVERY = 4;

  /** How long a peer that lied is avoided. */
  private static final long LIAR_NANOS = TimeUnit.MINUTES.toNanos(10);

  final Hash capsule;
  final byte[] peer;
  volatile Member member;

  /** Whether the placement that holds names the peer. */
  volatile boolean stays = true;

  private List<Marker> markers;
  private @Nullable Meeting meeting;
  private long takenNanos;
  private long dueNanos;
  private int failures;
  private int rounds;
  private int roundsForCopies;
  private long lastFullMillis;
  private @Nullable String trouble;
  private boolean liar;
  private boolean gone;
  private @Nullable Progress lastProgress;
  private final BacklogMeter meter = new BacklogMeter();

  /**
   * A link that is due at once.
   *
   * @param lies what the peer did that was false, oldest first: not long ago, it is avoided still
   */
  Link(StoredCapsule stored, Member member, List<Liars.Lie> lies) {
    this.capsule = stored.name();
    this.member = member;
    this.peer = member.identity().bytes().toArray();
    this.markers = decode(stored.peerState(peer));
    if (!lies.isEmpty()) {
      Liars.Lie last = lies.getLast();
      long agoMillis = System.currentTimeMillis() - last.timeMillis();
      long left = LIAR_NANOS - TimeUnit.MILLISECONDS.toNanos(agoMillis);
      if (agoMillis >= 0 && left > 0) {
        avoid(last.what(), left);
      }
    }
  }

  private static List<Marker> decode(byte @Nullable [] state) {
    List<Marker> markers = new ArrayList<>();
    if (state != null) {
      try {
        Decoder in = new Decoder(state, "state of a peer");
        for (int left = in.u8(); left > 0; left--) {
          markers.add(Marker.decode(in.bytes32(1 << 20)));
        }
        in.end();
      } catch (ProofException e) {
        LOG.warn("what was kept of a peer is damaged; everything is compared anew", e);
        markers.clear();
      }
    }
    return markers;
  }

  /** Takes the link for a meeting; false when it is taken, or there is no such link any more. */
  synchronized boolean take(Meeting by) {
    if (gone || meeting != null) {
      return false;
    }
    meeting = by;
    takenNanos = System.nanoTime();
    return true;
  }

  /** Markers of the last complete rounds, newest first. */
  synchronized List<Marker> markers() {
    return markers;
  }

  synchronized boolean due(long nowNanos) {
    return meeting == null && nowNanos - dueNanos >= 0;
  }

  /** Ends a meeting in which nothing has happened since then. */
  void dropIfSilent(long sinceNanos) {
    Meeting current = meeting();
    if (current != null && current.heardNanos() - sinceNanos < 0) {
      current.refuse(
          new HoldfastException(ErrorCode.BUSY, "the peer has been silent for too long", 200));
    }
  }

  /** Ends a meeting in which the peer has let nothing of use happen since then. */
  void dropIfStalled(long sinceNanos) {
    Meeting current = meeting();
    if (current != null && !current.storing() && current.advancedNanos() - sinceNanos < 0) {
      current.refuse(
          new HoldfastException(
              ErrorCode.BUSY, "nothing of use has happened in this round for too long", 200));
    }
  }

  /** There is no such link any more: no placement names both servers. Its meeting ends. */
  void leave() {
    Meeting current;
    synchronized (this) {
      gone = true;
      current = meeting;
    }
    if (current != null) {
      current.refuse(
          new HoldfastException(
              ErrorCode.DENIED, "no placement says any more that both servers keep this capsule"));
    }
  }

  /** Ends the meeting that is under way, if one is. */
  void interrupt(HoldfastException reason) {
    Meeting current = meeting();
    if (current != null) {
      current.refuse(reason);
    }
  }

  private synchronized @Nullable Meeting meeting() {
    return meeting;
  }

  /** Asks for a meeting no later than then, unless the peer is being left alone. */
  synchronized void hurry(long atNanos) {
    if (failures == 0 && !liar && atNanos - dueNanos < 0) {
      dueNanos = atNanos;
    }
  }

  /** Whether it is time for a round over everything; counts the rounds. */
  synchronized boolean comparesEverything(int every) {
    return ++rounds % every == 0;
  }

  /**
   * Whether the next round is over everything because copies are wanted of what has rotten: markers
   * stand for what was held once. Not each round: nobody may have them, and comparing everything
   * takes as long as there is much.
   *
   * @param wanted whether they are wanted now
   */
  synchronized boolean asksForCopies(boolean wanted) {
    if (!wanted) {
      roundsForCopies = 0;
      return false;
    }
    return roundsForCopies++ % COPIES_EVERY == 0;
  }

  synchronized void postpone(long atNanos) {
    dueNanos = atNanos;
  }

  /**
   * Notes that a round came to its end.
   *
   * @param keep writes the state of the peer down. The round is over also when it fails: what is
   *     known here stands, and after a restart an older marker has more compared than need be
   */
  synchronized void finished(
      Marker marker, Progress progress, long dueNext, Consumer<byte[]> keep) {
    List<Marker> kept = new ArrayList<>();
    kept.add(marker);
    markers.stream().limit(MARKERS - 1).forEach(kept::add);
    markers = kept;
    meeting = null;
    failures = 0;
    trouble = null;
    liar = false;
    lastProgress = progress;
    lastFullMillis = System.currentTimeMillis();
    dueNanos = dueNext;
    Encoder out = new Encoder();
    out.u8(kept.size());
    kept.forEach(one -> out.bytes32(one.encode()));
    try {
      keep.accept(out.toBytes());
    } catch (RuntimeException e) {
      LOG.warn("what a peer holds is known until the next start only: {}", e.getMessage());
    }
  }

  /** Notes a failure; returns how many there were in a row. */
  synchronized int failed(String reason) {
    meeting = null;
    trouble = reason;
    return ++failures;
  }

  synchronized void lied(String evidence) {
    meeting = null;
    avoid(evidence, LIAR_NANOS);
  }

  private synchronized void avoid(String evidence, long nanos) {
    liar = true;
    trouble = evidence;
    dueNanos = System.nanoTime() + nanos;
  }

  /** Refuses a peer that is still avoided, since it lied. */
  synchronized void refuseAvoided(long nowNanos) {
    if (liar && dueNanos - nowNanos > 0) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "this server avoids whoever sent what is false, for "
              + TimeUnit.NANOSECONDS.toSeconds(dueNanos - nowNanos)
              + " more seconds");
    }
  }

  /** What a client is told of the peer. */
  PeerStatus.Builder status(StoredCapsule stored) {
    Backlog backlog = backlog(stored);
    return status()
        .setMember(stays)
        .setBacklogRecords(backlog.records())
        .setBacklogBytes(backlog.bytes())
        .setOldestMillis(backlog.oldestMillis());
  }

  private synchronized PeerStatus.Builder status() {
    Meeting current = meeting;
    PeerStatus.Builder status =
        PeerStatus.newBuilder()
            .setIdentity(UnsafeByteOperations.unsafeWrap(peer))
            .setAddress(member.endpoint().toString())
            .setMeeting(current != null)
            .setMeetingMillis(current == null ? 0 : (System.nanoTime() - takenNanos) / 1_000_000)
            .setLastFullMillis(lastFullMillis)
            .setTrouble(trouble == null ? "" : trouble)
            .setLiar(liar);
    Progress progress = current == null ? lastProgress : current.progress();
    if (progress != null) {
      status
          .setEntriesLeft(current == null ? 0 : progress.entriesToSend())
          .setRecordsSent(progress.recordsSent())
          .setRecordsReceived(progress.recordsReceived())
          .setBytesSent(progress.bytesSent())
          .setBytesReceived(progress.bytesReceived());
    }
    return status;
  }

  /** What the peer is not known to hold. */
  Backlog backlog(StoredCapsule stored) {
    List<Marker> known = markers();
    return meter.measure(
        stored, known.isEmpty() ? Marker.NONE : known.getFirst(), System.currentTimeMillis());
  }
}
