package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.AskedMembers;
import holdfast.client.BadEvidence;
import holdfast.client.Home;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.Server;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where a capsule is read and written: the servers that its placement names, or one server when it
 * has none, or when one was named by hand.
 */
final class Source implements AutoCloseable {
  private final Terminal terminal;
  private final @Nullable Replicas replicas;
  private final ReplicatedReader reader;

  private Source(Terminal terminal, @Nullable Replicas replicas, ReplicatedReader reader) {
    this.terminal = terminal;
    this.replicas = replicas;
    this.reader = reader;
  }

  /**
   * Finds out what the owner last said, as far as it is known here or to a server that answers.
   *
   * @param byHand whether the target's server was named and no other is to be asked
   */
  static Source of(Terminal terminal, ServerCommand.Target target, boolean byHand)
      throws ProofException {
    Home home = target.home();
    Hash capsule = target.capsule();
    return by(terminal, target, byHand ? Set.of() : known(home, target.server(), capsule));
  }

  /**
   * The same by what all members of all placements that hold jointly show, for what cannot be taken
   * back.
   *
   * @throws holdfast.base.HoldfastException when too few of them answer
   */
  static Source ofAll(Terminal terminal, ServerCommand.Target target, boolean byHand)
      throws ProofException {
    if (byHand) {
      return of(terminal, target, true);
    }
    AskedMembers asked =
        AskedMembers.ask(target.capsule(), known(target.home(), target.server(), target.capsule()));
    asked.requireEnough(none -> false);
    return by(terminal, target, asked.statements());
  }

  private static Source by(
      Terminal terminal, ServerCommand.Target target, Set<Statement> statements) {
    Replicas replicas =
        Statement.Placement.current(statements) == null ? null : Replicas.of(statements);
    ReplicatedReader reader =
        replicas == null
            ? reader(List.of(target.server()), target.capsule())
            : replicas.openReader(List.of(), ReaderOptions.withoutCache());
    return new Source(terminal, replicas, reader);
  }

  private static ReplicatedReader reader(List<Server> servers, Hash capsule) {
    return new ReplicatedReader(servers, capsule, List.of(), ReaderOptions.withoutCache());
  }

  /** What the owner has said, as the first server that answers shows it, and as it is kept here. */
  private static Set<Statement> known(Home home, Server server, Hash capsule)
      throws ProofException {
    Optional<Statement.Placement> kept = home.placement(capsule);
    Replicas members = kept.map(one -> Replicas.of(List.of(one))).orElse(null);
    try (ReplicatedReader asked =
        reader(members == null ? List.of(server) : members.servers(), capsule)) {
      Set<Statement> known = new LinkedHashSet<>(asked.ask(one -> one.statements(true)));
      kept.ifPresent(known::add);
      Statement.Placement newest = Statement.Placement.current(known);
      if (newest != null
          && !newest.equals(kept.orElse(null))
          && !home.capsules(capsule.toString()).isEmpty()) {
        home.keep(newest);
      }
      return known;
    } finally {
      if (members != null) {
        members.close();
      }
    }
  }

  /** The servers of the placement; null when one server is used. */
  @Nullable Replicas replicas() {
    return replicas;
  }

  /** The servers that are asked. */
  List<Server> servers(ServerCommand.Target target) {
    return replicas == null ? List.of(target.server()) : replicas.servers();
  }

  ReplicatedReader reader() {
    return reader;
  }

  /** Asks one server after the other until one answers. */
  <T> T ask(ReplicatedReader.Question<T> question) throws ProofException {
    return reader.ask(question);
  }

  /** Tells what servers gave that did not hold, and ends. */
  @Override
  public void close() {
    for (BadEvidence bad : reader.evidence()) {
      terminal.note(
          "bad evidence from " + bad.server() + " (" + bad.violation() + "): " + bad.message());
    }
    reader.close();
    if (replicas != null) {
      replicas.close();
    }
  }
}
