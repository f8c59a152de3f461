package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.PrivateFiles;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.node.replication.MeetingOptions;
import holdfast.store.DerivedTable;
import holdfast.wire.CapsuleStatus;
import holdfast.wire.PeerStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Rebuilds an edge in an empty folder from what its masters hold, with the operator's key.
 *
 * <pre>
 *   1  find the edge's capsules: the one that is named, those before it and those after it
 *   2  place them on a new server in the folder and on the masters: the operator's signed word
 *   3  wait until that server holds what every master holds; all of it is verified as it comes
 *   4  open the grants: the content keys
 *   5  without the old writer's key: a successor, placed, and then the old capsule is closed
 *   6  make the view, by the code by which a running edge makes it
 * </pre>
 *
 * <p>Each step finds what was done of it before, so that a restoration that was interrupted goes on
 * where it was. The folder is an edge's only when all is done.
 */
public final class Restore {
  private static final long LOOK_MILLIS = 50;
  private static final String SUCCESSOR = "successor";

  private final EdgeFolder folder;
  private final List<Server> masters;
  private final SigningKey operator;
  private final Options options;
  private final Progress progress;
  private final Steps steps;

  private Restore(
      EdgeFolder folder,
      List<Server> masters,
      SigningKey operator,
      Options options,
      Progress progress,
      Steps steps) {
    this.folder = folder;
    this.masters = List.copyOf(masters);
    this.operator = operator;
    this.options = options;
    this.progress = progress;
    this.steps = steps;
  }

  /**
   * How it is done.
   *
   * @param patienceMillis how long nothing may come before it is given up, to be gone on with later
   * @param copies how many masters are to hold each record from now on; 0 for a majority
   * @param routes to masters that are not reached where they are placed
   */
  public record Options(long patienceMillis, int copies, Routes routes) {
    /** What is used when nothing is said. */
    public static Options defaults() {
      return new Options(60_000, 0, Routes.NONE);
    }
  }

  /** Hears how far it is. */
  @FunctionalInterface
  public interface Progress {
    /** Records that are here of those that the masters hold, as far as they say. */
    void at(String capsule, long records, long total);
  }

  /** Hears what has just been done that lasts, so that a test may end it there. */
  @FunctionalInterface
  interface Steps {
    /** Called after a step. */
    void done(String step);
  }

  /**
   * What was restored.
   *
   * @param capsules all capsules of the edge, oldest first; it goes on in the last
   * @param succeeded whether the last was made now
   * @param records that were restored, in all of them
   * @param changes that took effect in the view
   */
  public record Restored(
      String edge, List<Hash> capsules, boolean succeeded, long records, long changes, long keys) {}

  /**
   * Restores.
   *
   * @param folder where there is no edge; perhaps the beginning of this one
   * @param masters that are to keep the edge from now on, connected by whoever trusts them; each
   *     must be reached
   * @param capsule one of the edge's capsules
   * @param operator the owner of the capsules, to whom their content was granted
   * @throws HoldfastException UNREACHABLE when nothing comes from a master any more; the same call
   *     goes on
   */
  public static Restored restore(
      EdgeFolder folder,
      List<Server> masters,
      Hash capsule,
      SigningKey operator,
      Options options,
      Progress progress)
      throws ProofException {
    return restore(folder, masters, capsule, operator, options, progress, step -> {});
  }

  /** The same, in steps that are heard of. */
  static Restored restore(
      EdgeFolder folder,
      List<Server> masters,
      Hash capsule,
      SigningKey operator,
      Options options,
      Progress progress,
      Steps steps)
      throws ProofException {
    if (folder.initialised()) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          "there is an edge in " + folder.path() + " already; it is never overwritten");
    }
    if (masters.isEmpty()) {
      throw new IllegalArgumentException("an edge is restored from one master or more");
    }
    try {
      PrivateFiles.createFolders(folder.path());
      return new Restore(folder, masters, operator, options, progress, steps).run(capsule);
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "cannot write to " + folder.path() + ": " + e, e);
    }
  }

  private Restored run(Hash capsule) throws ProofException, IOException {
    List<Metadata> chain = chain(capsule);
    String name =
        EdgeMetadata.edge(chain.getLast())
            .orElseThrow(() ->
                new HoldfastException(
                    ErrorCode.INVALID, "capsule " + capsule.brief() + " is not of an edge"));
    for (Metadata one : chain) {
      Masters.requireOwner(one, operator.verifyKey());
    }
    Endpoint anywhere = new Endpoint("127.0.0.1", 0);
    try (Node node =
            Node.start(
                NodeOptions.of(folder.node(), anywhere, anywhere, Set.of(operator.verifyKey()))
                    .withReplication(
                        MeetingOptions.defaults()
                            .withPeriod(1000, 100)
                            .withRoutes(options.routes())));
        Server own = Server.over(node.connect())) {
      List<Hash> names = new ArrayList<>(chain.stream().map(Metadata::name).toList());
      for (Metadata one : chain) {
        own.create(one, ownerSignature(one.name()));
      }
      steps.done("capsules made");
      Masters.place(own, masters, names, operator);
      steps.done("placed");
      closeAgain(own, names);
      long records = 0;
      for (Hash one : names) {
        records += await(node, own, one);
        keepKeys(own, one);
      }
      steps.done("filled");
      boolean succeeded = false;
      if (!writable(chain.getLast())) {
        names.add(succeed(own, name, names.getLast()));
        succeeded = true;
      }
      long[] made = makeView(own, names.getLast());
      steps.done("view made");
      folder.keepCopies(options.copies());
      folder.complete(name, operator.verifyKey(), names.getLast());
      Files.deleteIfExists(draft());
      return new Restored(name, List.copyOf(names), succeeded, records, made[0], made[1]);
    }
  }

  // ---- 1 The chain ------------------------------------------------------------------------------

  /** A question about a capsule to the first master that has it. */
  private interface Question<T extends @Nullable Object> {
    T ask(CapsuleReader reader) throws ProofException;
  }

  private <T extends @Nullable Object> T ask(Hash capsule, Question<T> question)
      throws ProofException {
    HoldfastException last = null;
    for (Server master : masters) {
      try (CapsuleReader reader =
          master.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
        return question.ask(reader);
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
          throw e;
        }
        last = e;
      }
    }
    throw java.util.Objects.requireNonNull(last);
  }

  /** The capsules of the edge, oldest first. */
  private List<Metadata> chain(Hash capsule) throws ProofException {
    List<Metadata> chain = new ArrayList<>();
    Set<Hash> seen = new HashSet<>();
    for (Hash next = capsule; next != null; ) {
      Metadata metadata = ask(next, CapsuleReader::metadata);
      once(seen, next);
      chain.addFirst(metadata);
      next = EdgeMetadata.predecessor(metadata).orElse(null);
    }
    for (Hash at = capsule; ; ) {
      Statement.Succession closing = closing(masters, at);
      if (closing == null) {
        return chain;
      }
      at = closing.successor();
      if (seen.contains(at)) {
        throw new ProofException(
            Violation.BROKEN_CHAIN, "the capsules of the edge name each other as successors");
      }
      Metadata metadata = ask(at, CapsuleReader::metadata);
      once(seen, at);
      if (!EdgeMetadata.predecessor(metadata)
          .equals(java.util.Optional.of(chain.getLast().name()))) {
        throw new ProofException(
            Violation.BROKEN_CHAIN,
            "capsule "
                + at.brief()
                + " does not say that it continues "
                + chain.getLast().name().brief()
                + ", which was closed in its favour");
      }
      chain.add(metadata);
    }
  }

  private static void once(Set<Hash> seen, Hash name) throws ProofException {
    if (!seen.add(name)) {
      throw new ProofException(
          Violation.BROKEN_CHAIN, "the capsules of the edge name each other as predecessors");
    }
  }

  /** The owner's closing of a capsule, by the first server that has it; null when none has. */
  private static Statement.@Nullable Succession closing(List<Server> servers, Hash capsule)
      throws ProofException {
    for (Server server : servers) {
      try (CapsuleReader reader =
          server.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
        Statement.Succession closing = Masters.succession(reader);
        if (closing != null) {
          return closing;
        }
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
          throw e;
        }
      }
    }
    return null;
  }

  private List<Server> everywhere(Server own) {
    List<Server> all = new ArrayList<>(List.of(own));
    all.addAll(masters);
    return all;
  }

  /** Tells all servers what an earlier attempt may have told only some of them. */
  private void closeAgain(Server own, List<Hash> names) throws ProofException {
    for (Hash one : names) {
      Statement.Succession closing = closing(everywhere(own), one);
      if (closing != null) {
        declare(own, closing);
      }
    }
  }

  private void declare(Server own, Statement.Succession closing) throws ProofException {
    for (Server server : everywhere(own)) {
      server.declare(closing);
      steps.done("closed on a server");
    }
  }

  private byte[] ownerSignature(Hash capsule) throws ProofException {
    return ask(capsule, CapsuleReader::ownerSignature);
  }

  // ---- 3 The records ----------------------------------------------------------------------------

  /** Waits until a round with every master is complete; returns how many records are here. */
  private long await(Node node, Server own, Hash capsule) throws ProofException {
    long total = 0;
    for (Server master : masters) {
      try (CapsuleReader reader =
          master.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
        total = Math.max(total, reader.status().getCapsule().getProven());
      }
    }
    long heard = System.nanoTime();
    long before = -1;
    while (true) {
      long here = node.records(capsule);
      List<PeerStatus> peers = node.peers(capsule).stream().filter(PeerStatus::getMember).toList();
      List<PeerStatus> waiting =
          peers.stream().filter(peer -> peer.getLastFullMillis() == 0).toList();
      progress.at(capsule.brief(), here, Math.max(total, here));
      if (peers.size() >= masters.size() && waiting.isEmpty()) {
        requireWhole(own, capsule);
        return here;
      }
      long now = System.nanoTime();
      if (here != before) {
        before = here;
        heard = now;
      } else if (now - heard > TimeUnit.MILLISECONDS.toNanos(options.patienceMillis())) {
        throw new HoldfastException(
            ErrorCode.UNREACHABLE,
            "nothing comes from "
                + String.join(", ", waiting.stream().map(Restore::trouble).toList())
                + "; "
                + here
                + " records of capsule "
                + capsule.brief()
                + " are here, and the same command goes on");
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS));
      if (Thread.interrupted()) {
        throw new HoldfastException(ErrorCode.STOPPING, "interrupted; the same command goes on");
      }
    }
  }

  private static String trouble(PeerStatus peer) {
    return peer.getAddress() + (peer.getTrouble().isEmpty() ? "" : " (" + peer.getTrouble() + ")");
  }

  /** What the masters hold together must be all that its records point at. */
  private static void requireWhole(Server own, Hash capsule) throws ProofException {
    try (CapsuleReader reader = own.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
      CapsuleStatus status = reader.status().getCapsule();
      if (status.getHoles() > 0 || status.getDamaged() > 0) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "of capsule "
                + capsule.brief()
                + " the masters lack "
                + status.getHoles()
                + " records that others point at, and "
                + status.getDamaged()
                + " are damaged; name the other masters too");
      }
    }
  }

  // ---- 4 The keys -------------------------------------------------------------------------------

  private void keepKeys(Server own, Hash capsule) throws ProofException {
    try (CapsuleReader reader = own.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
      for (ContentKey key : Masters.granted(reader, operator)) {
        folder.home().keep(capsule, key);
      }
    }
  }

  // ---- 5 The successor --------------------------------------------------------------------------

  /** Whether the key that writes a capsule is in the folder. */
  private boolean writable(Metadata newest) throws IOException {
    return newest.indexOf(folder.requireWriter().verifyKey()) >= 0;
  }

  private Path draft() {
    return folder.path().resolve(SUCCESSOR);
  }

  /** Makes the capsule in which the edge goes on, and closes the one before. */
  private Hash succeed(Server own, String name, Hash predecessor)
      throws ProofException, IOException {
    Path draft = draft();
    if (!Files.exists(draft)) {
      Hash made =
          folder.create(own, name, operator, folder.requireWriter().verifyKey(), predecessor);
      steps.done("successor made");
      PrivateFiles.write(draft, made + "\n");
      steps.done("successor noted");
    }
    Hash successor = Hash.parse(Files.readString(draft).strip());
    // On the masters before the old one is closed: they must be able to say where it goes on.
    Masters.place(own, masters, List.of(successor), operator);
    steps.done("successor placed");
    List<Hash> heads;
    try (CapsuleReader reader =
        own.openReader(predecessor, List.of(), ReaderOptions.withoutCache())) {
      Statement.Succession before = Masters.succession(reader);
      Freshness fresh = reader.heads();
      if (before != null || fresh.moreHeads()) {
        if (before != null && before.successor().equals(successor)) {
          declare(own, before);
          return successor;
        }
        throw new HoldfastException(
            ErrorCode.SUCCEEDED,
            "capsule "
                + predecessor.brief()
                + " cannot be closed: "
                + (before == null ? "it has too many heads" : "it was closed meanwhile"));
      }
      heads = fresh.heads();
      reader.prove(heads);
    }
    Statement.Succession closing =
        Statement.Succession.sign(
            predecessor, System.currentTimeMillis(), heads, successor, operator);
    declare(own, closing);
    return successor;
  }

  // ---- 6 The view -------------------------------------------------------------------------------

  private long[] makeView(Server own, Hash newest) throws ProofException {
    DerivedTable.delete(folder.view());
    try (EdgeCapsule capsule =
            CapsuleChain.open(
                own, newest, reader -> folder.contentKeys(reader.metadata().name()), null);
        View view = View.open(folder.view())) {
      if (!capsule.catchUp(view)) {
        throw new HoldfastException(
            ErrorCode.DAMAGED, "no view follows from capsule " + newest.brief());
      }
      long keys = view.spaces.values().stream().mapToLong(View.SpaceState::keys).sum();
      return new long[] {view.mark().number(), keys};
    }
  }
}
