package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Freshness;
import holdfast.capsule.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Reads a capsule that several servers keep. One is asked; when it cannot be reached, does not have
 * what is wanted, or gives something that does not hold, the next one is. Who gave bad evidence is
 * not asked any more, and what it gave is kept. Not safe for use by several threads.
 *
 * <p>One that was opened by a placement follows the owner's later ones: now and then, before it
 * asks something, it asks one of the servers for the placement that holds. Members of the new one
 * are asked first; those of the one before remain until they hold no more than the new ones, since
 * only they may have what was written last.
 */
public final class ReplicatedReader implements AutoCloseable {
  /** How often the servers that are asked may turn out to be others, in one question. */
  private static final int MOVES = 8;

  /** Those of the newest placement first. */
  private List<Server> servers;

  /** What the servers are taken from; null when they were named otherwise. */
  private @Nullable FollowedPlacement followed;

  /** How many servers every write was acknowledged by; 0 for more than half. */
  private int acknowledged;

  private final Hash capsule;
  private final List<ContentKey> contentKeys;
  private final ReaderOptions options;
  private final Map<Server, CapsuleReader> readers = new HashMap<>();
  private final Set<Server> avoided = new HashSet<>();
  private final List<BadEvidence> evidence = new ArrayList<>();
  private Statement.@Nullable Succession closing;

  /** The server that answered last, which is asked first. */
  private int preferred;

  /** Something asked of a reader of one server. Asking it twice must be harmless. */
  public interface Question<T> {
    /** Asks. */
    T ask(CapsuleReader reader) throws ProofException;
  }

  /** Reads from these servers, in this order at first; they are closed by whoever opened them. */
  public ReplicatedReader(
      List<Server> servers, Hash capsule, List<ContentKey> contentKeys, ReaderOptions options) {
    this.servers = List.copyOf(servers);
    this.capsule = capsule;
    this.contentKeys = List.copyOf(contentKeys);
    this.options = options;
  }

  /**
   * Reads from the members of a placement, and follows the owner to later ones.
   *
   * @param acknowledged how many servers every write was acknowledged by; 0 for more than half
   */
  static ReplicatedReader following(
      KnownPlacements known,
      List<Server> servers,
      List<ContentKey> contentKeys,
      ReaderOptions options,
      int acknowledged) {
    ReplicatedReader reader =
        new ReplicatedReader(servers, known.newest().capsule(), contentKeys, options);
    reader.acknowledged = acknowledged;
    FollowedPlacement following = new FollowedPlacement(known, servers, reader::acknowledging);
    reader.followed = following;
    reader.servers = List.copyOf(following.servers());
    return reader;
  }

  /** Sets how much time passes at least between two looks for a newer placement. */
  public void lookEvery(long millis) {
    FollowedPlacement following = followed;
    if (following != null) {
      following.lookEvery(millis);
    }
  }

  /** The placement that is read by; null when the servers were named otherwise. */
  public Statement.@Nullable Placement placement() {
    FollowedPlacement following = followed;
    return following == null ? null : following.newest();
  }

  /** All servers that may be asked; while placements hold jointly, the members of each. */
  public List<Server> servers() {
    return servers;
  }

  private void follow() {
    FollowedPlacement following = followed;
    if (following != null && following.look()) {
      rearrange(following);
    }
  }

  /** Takes in what servers show; whether it has to be asked again, by that. */
  private boolean learn(List<Statement> shown) throws ProofException {
    FollowedPlacement following = followed;
    boolean moved = following != null && following.learn(shown);
    if (following != null && moved) {
      rearrange(following);
    }
    boolean closed = false;
    for (Statement one : shown) {
      if (one instanceof Statement.Succession succession && closing == null) {
        close(succession);
        closed = true;
      }
    }
    return moved || closed;
  }

  private void rearrange(FollowedPlacement following) {
    Server before = servers.get(preferred);
    Set<Server> now = following.servers();
    servers.stream().filter(one -> !now.contains(one)).forEach(this::drop);
    servers = List.copyOf(now);
    preferred = Math.max(0, servers.indexOf(before));
    following.retire();
  }

  /** What servers gave that did not hold, oldest first. */
  public List<BadEvidence> evidence() {
    return List.copyOf(evidence);
  }

  // ---- Asking -----------------------------------------------------------------------------------

  /**
   * Asks one server after the other until one answers.
   *
   * @throws ProofException when none answers and one has given bad evidence
   * @throws HoldfastException when none answers, with what the first one said; or when the question
   *     itself is refused
   */
  public <T> T ask(Question<T> question) throws ProofException {
    follow();
    Asked<T> asked = new Asked<>(question);
    for (int i = 0; i < servers.size(); i++) {
      int at = (preferred + i) % servers.size();
      T answer = asked.of(servers.get(at));
      if (answer != null) {
        preferred = at;
        return answer;
      }
    }
    throw asked.unanswered();
  }

  /**
   * Asks all servers, one after the other, of which so many have to answer that one of them has
   * whatever was acknowledged: n − k + 1. While placements hold jointly, so many of each.
   *
   * @throws ProofException when fewer answer and one has given bad evidence
   * @throws HoldfastException when fewer answer, with what the first one said that did not
   */
  public <T> void askEnough(Question<T> question) throws ProofException {
    follow();
    Asked<T> asked = new Asked<>(question);
    Set<Server> answered = new HashSet<>();
    for (Server server : servers) {
      if (asked.of(server) != null) {
        answered.add(server);
      }
    }
    if (!enough(answered, members -> members - acknowledging(members) + 1)) {
      throw asked.unanswered();
    }
  }

  /** Follows the capsule from what is new on, from server to server. */
  public ReplicatedWatch watch() {
    return new ReplicatedWatch(this, capsule, ReplicatedWatch.NEW);
  }

  /**
   * Follows the capsule from server to server.
   *
   * @param from the number of the record to begin with, in the order in which records arrived at
   *     whichever server is asked
   */
  public ReplicatedWatch watch(long from) {
    return new ReplicatedWatch(this, capsule, from);
  }

  /** A question on its way from server to server. */
  private final class Asked<T> {
    private final Question<T> question;
    private @Nullable ProofException bad;
    private @Nullable HoldfastException failed;

    Asked(Question<T> question) {
      this.question = question;
    }

    /** What a server answers; null when it does not. */
    @Nullable T of(Server server) throws ProofException {
      if (avoided.contains(server)) {
        return null;
      }
      try {
        CapsuleReader reader = reader(server);
        T answer = question.ask(reader);
        heed(reader);
        return answer;
      } catch (ProofException e) {
        bad = bad == null ? e : bad;
        avoid(server, e);
      } catch (HoldfastException e) {
        if (asWellElsewhere(e)) {
          throw e;
        }
        failed = failed == null ? e : failed;
        if (e.code() == ErrorCode.UNREACHABLE || e.code() == ErrorCode.STOPPING) {
          drop(server);
        }
      }
      return null;
    }

    /** A failed check is never passed off as something that is not there. */
    HoldfastException unanswered() throws ProofException {
      if (bad != null) {
        throw bad;
      }
      if (failed != null) {
        return failed;
      }
      BadEvidence first = evidence.getFirst();
      throw new ProofException(
          first.violation(),
          "every server has given bad evidence; " + first.server() + ": " + first.message());
    }
  }

  private void avoid(Server server, ProofException bad) {
    avoided.add(server);
    drop(server);
    evidence.add(
        new BadEvidence(server.endpoint(), bad.violation(), String.valueOf(bad.getMessage())));
  }

  /** Whether other servers would say the same. */
  private static boolean asWellElsewhere(HoldfastException e) {
    return switch (e.code()) {
      case INVALID, TOO_LARGE, SUCCEEDED -> true;
      default -> false;
    };
  }

  private CapsuleReader reader(Server server) throws ProofException {
    CapsuleReader known = readers.get(server);
    if (known != null) {
      return known;
    }
    CapsuleReader made = server.openReader(capsule, contentKeys, options);
    readers.put(server, made);
    Statement.Succession told = closing;
    if (told != null) {
      made.learn(told);
    }
    return made;
  }

  private void drop(Server server) {
    CapsuleReader reader = readers.remove(server);
    if (reader != null) {
      reader.close();
    }
  }

  /** What one server shows of a succession binds what the others answer. */
  private void heed(CapsuleReader reader) throws ProofException {
    FinalHeads shown = reader.closing();
    if (shown != null && closing == null) {
      close(shown.statement());
    }
  }

  private void close(Statement.Succession succession) throws ProofException {
    closing = succession;
    for (CapsuleReader reader : readers.values()) {
      reader.learn(succession);
    }
  }

  // ---- Records and leaves -----------------------------------------------------------------------

  /** Reads and proves one record. */
  public ReadResult read(Hash name) throws ProofException {
    return readAll(List.of(name)).getFirst();
  }

  /** Reads and proves records; for each the best that any server has to say. */
  public List<ReadResult> readAll(List<Hash> names) throws ProofException {
    return best(names, CapsuleReader::readAll, Lack::ofRecord);
  }

  /** Reads and proves headers. */
  public List<ReadResult> readHeaders(List<Hash> names) throws ProofException {
    return best(names, CapsuleReader::readHeaders, Lack::ofRecord);
  }

  /** Reads and proves single leaves. */
  public List<ReadResult.LeafResult> readLeaves(List<ReadResult.LeafName> leaves)
      throws ProofException {
    return best(leaves, CapsuleReader::readLeaves, Lack::ofLeaf);
  }

  private interface Reads<N, R> {
    List<R> from(CapsuleReader reader, List<N> names) throws ProofException;
  }

  private <N, R> List<R> best(List<N> names, Reads<N, R> reads, Lack<R> lack)
      throws ProofException {
    List<R> found = new ArrayList<>(ask(reader -> reads.from(reader, names)));
    for (int i = 0; i < servers.size(); i++) {
      List<Integer> wanted = new ArrayList<>();
      for (int at = 0; at < found.size(); at++) {
        if (lack.of(found.get(at)) > 0) {
          wanted.add(at);
        }
      }
      if (wanted.isEmpty()) {
        break;
      }
      // The one that answered before, being asked first, is asked the rest once more, for nothing.
      List<N> rest = wanted.stream().map(names::get).toList();
      List<R> more =
          new Asked<List<R>>(reader -> reads.from(reader, rest))
              .of(servers.get((preferred + i) % servers.size()));
      for (int at = 0; more != null && at < more.size(); at++) {
        if (lack.of(more.get(at)) < lack.of(found.get(wanted.get(at)))) {
          found.set(wanted.get(at), more.get(at));
        }
      }
    }
    return found;
  }

  // ---- What is newest ---------------------------------------------------------------------------

  /**
   * Asks all servers for heads, at the same time, and takes the first answers. When one of them
   * shows that the capsule is closed, all are asked by that. While placements hold jointly, so many
   * have to answer of each: what one of them acknowledged may not have reached the other yet. When
   * one of them shows a placement that was not known here, the servers that hold by it are asked.
   *
   * @param wanted how many have to answer: r; of a placement with fewer members, all; 0 for more
   *     than half of each
   * @param acknowledgements how many every write was acknowledged by: k; not fewer than this reader
   *     was opened for, or it may have left an old placement too early; 0 for as many as that
   * @throws HoldfastException when fewer answer
   */
  public QuorumFreshness heads(int wanted, int acknowledgements) throws ProofException {
    if (acknowledgements != 0) {
      requireExpected(acknowledgements);
    }
    follow();
    IntUnaryOperator answering = members -> wanted == 0 ? majority(members) : wanted;
    FreshAnswers given = fresh(answering);
    // The placements by which they were asked may be the word of one server. What one shows of a
    // succession binds the others, who may withhold it.
    for (int moves = 0; learn(given.shown()); moves++) {
      if (moves == MOVES) {
        throw new HoldfastException(
            ErrorCode.BUSY, "the capsule is placed anew again and again while it is asked for");
      }
      given = fresh(answering);
    }
    List<Freshness> all = List.copyOf(given.answers().values());
    List<QuorumFreshness.Group> counted = new ArrayList<>();
    for (List<Server> group : groups()) {
      counted.add(
          new QuorumFreshness.Group(
              Math.toIntExact(group.stream().filter(given.answers()::containsKey).count()),
              acknowledgements == 0
                  ? acknowledging(group.size())
                  : Math.min(acknowledgements, group.size()),
              group.size()));
    }
    FollowedPlacement following = followed;
    for (JointPlacement.Left left :
        following == null ? List.<JointPlacement.Left>of() : following.left()) {
      int members = left.placement().members().size();
      counted.add(
          new QuorumFreshness.Group(
              left.agreed(),
              acknowledgements == 0 ? acknowledging(members) : Math.min(acknowledgements, members),
              members));
    }
    if (following != null && !following.complete()) {
      counted.add(QuorumFreshness.Group.UNKNOWN);
    }
    return new QuorumFreshness(all, QuorumFreshness.topmost(this, all), counted);
  }

  private FreshAnswers fresh(IntUnaryOperator answering) {
    List<Server> asked = servers.stream().filter(s -> !avoided.contains(s)).toList();
    FreshAnswers given =
        FreshAnswers.ask(asked, capsule, closing, options, answered -> enough(answered, answering));
    given.bad().forEach(this::avoid);
    Exception last = given.last();
    if (!enough(given.answers().keySet(), answering)) {
      throw new HoldfastException(
          ErrorCode.UNREACHABLE,
          given.answers().size()
              + " of "
              + servers.size()
              + " servers say what is newest, "
              + answering.applyAsInt(groups().getFirst().size())
              + (groups().size() > 1 ? " of each placement" : "")
              + " were to"
              + (last == null ? "" : "; " + last.getMessage()));
    }
    return given;
  }

  private List<List<Server>> groups() {
    FollowedPlacement following = followed;
    return following == null ? List.of(servers) : following.groups();
  }

  /** Whether so many of each group have answered; of a group with fewer members, all. */
  private boolean enough(Set<Server> answered, IntUnaryOperator wantedOfMembers) {
    return groups().stream()
        .allMatch(group ->
            group.stream().filter(answered::contains).count()
                >= Math.min(wantedOfMembers.applyAsInt(group.size()), group.size()));
  }

  private static int majority(int members) {
    return members / 2 + 1;
  }

  /** How many of a group every write was acknowledged by. */
  private int acknowledging(int members) {
    return acknowledged == 0 ? majority(members) : Math.min(acknowledged, members);
  }

  private void requireExpected(int acknowledgements) {
    for (List<Server> group : groups()) {
      if (followed != null && acknowledgements < acknowledging(group.size())) {
        throw new IllegalArgumentException(
            "the reader was opened for writes that "
                + acknowledging(group.size())
                + " servers acknowledge, not "
                + acknowledgements);
      }
    }
  }

  @Override
  public void close() {
    readers.values().forEach(CapsuleReader::close);
    readers.clear();
    FollowedPlacement following = followed;
    if (following != null) {
      following.close();
    }
  }
}
