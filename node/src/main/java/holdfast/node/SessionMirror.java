package holdfast.node;

import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.capsule.CacheMirror;
import holdfast.capsule.Statement;
import holdfast.store.StoredCapsule;
import holdfast.wire.CacheReset;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The mirror of the reader's verification cache in one session: what the reader is known to have
 * verified, so that proofs may rest on it. Entries are added when the reader acknowledges the
 * answer that carried them; running checksums of the answers show when the two sides are out of
 * step, and then both begin with nothing.
 *
 * <p>A closed capsule has a mirror of final records only: it begins anew when the client is told of
 * the succession.
 */
final class SessionMirror {
  /** Answers that may wait for an acknowledgement; more are made without the mirror. */
  private static final int ANSWERS_AWAITED = 64;

  private final Session session;
  private final CapsuleService service;
  private final CRC32C checksum = new CRC32C();
  private final List<Integer> checksums = new ArrayList<>();
  private @Nullable CacheMirror mirror;

  /** The succession that the client has been told of; from then on answers keep to it. */
  private Statement.@Nullable Succession told;

  private long answers;
  private long acknowledged;

  SessionMirror(Session session) {
    this.session = session;
    this.service = session.service;
  }

  int capacity() {
    return mirror == null ? 0 : mirror.capacity();
  }

  /** Sets up the mirror within the global budget; says which of the cached names it took. */
  byte[] begin(StoredCapsule capsule, int asked, List<Hash> cached) {
    close();
    answers = 0;
    acknowledged = 0;
    checksum.reset();
    checksums.clear();
    byte[] taken = new byte[cached.size()];
    int entries = Math.min(Math.max(asked, 0), Limits.CACHE_ENTRIES);
    long used = service.mirroredEntries.addAndGet(entries);
    if (used > service.options.mirroredEntries()) {
      long over = Math.min(entries, used - service.options.mirroredEntries());
      service.mirroredEntries.addAndGet(-over);
      entries -= (int) over;
    }
    told = capsule.succession();
    if (entries == 0) {
      return taken;
    }
    CacheMirror made = new CacheMirror(entries);
    long[] arrivals = capsule.withGraph(graph -> graph.arrivalsOf(cached));
    // What a reader of a closed capsule has cached, it may have cached before it knew.
    for (int i = 0; told == null && i < taken.length; i++) {
      if (arrivals[i] >= 0) {
        made.add(CacheMirror.key(arrivals[i]));
        taken[i] = 1;
      }
    }
    mirror = made;
    return taken;
  }

  void close() {
    service.mirroredEntries.addAndGet(-capacity());
    mirror = null;
  }

  /** What an answer may rest on; null when it has to be made as if nothing were cached. */
  @Nullable CacheMirror usable() {
    CacheMirror current = mirror;
    return current != null && current.awaiting() < ANSWERS_AWAITED && !current.overdue()
        ? current
        : null;
  }

  /**
   * Notes what an answer adds, once it is acknowledged.
   *
   * @param additions keys in order; none adds nothing
   * @param proof the proof in the answer
   * @param leaves the leaves in the answer
   * @return the number of the answer, from 1; 0 if it adds nothing
   */
  long await(CacheMirror current, long[] additions, byte[] proof, byte[] leaves) {
    if (additions.length == 0) {
      return 0;
    }
    answers++;
    current.await(answers, additions);
    checksum.update(proof);
    checksum.update(leaves);
    checksums.add((int) checksum.getValue());
    return answers;
  }

  /** Applies what the reader has verified; out of step, both sides begin anew. */
  void acknowledge(Request request) {
    CacheMirror current = mirror;
    long upTo = request.getAcknowledged();
    if (current == null || upTo <= acknowledged) {
      return;
    }
    long ahead = upTo - acknowledged;
    if (ahead > checksums.size() || checksums.get((int) ahead - 1) != request.getChecksum()) {
      reset(CacheReset.getDefaultInstance());
      return;
    }
    current.acknowledge(upTo);
    checksums.subList(0, (int) ahead).clear();
    acknowledged = upTo;
  }

  private void reset(CacheReset why) {
    CacheMirror current = mirror;
    mirror = current == null ? null : new CacheMirror(current.capacity());
    answers = 0;
    acknowledged = 0;
    checksum.reset();
    checksums.clear();
    session.send(Reply.newBuilder().setCacheReset(why));
  }

  /** Shows the client the succession before the first reply that is made under it. */
  void tellIfClosed(@Nullable StoredCapsule capsule) {
    Statement.Succession closing = capsule == null ? null : capsule.succession();
    if (closing != null && told == null) {
      told = closing;
      reset(CacheReset.newBuilder().setSuccession(Session.bytes(closing.encode())).build());
    }
  }

  Statement.@Nullable Succession told() {
    return told;
  }

  byte[] toldSuccession() {
    return told == null ? new byte[0] : told.encode();
  }
}
