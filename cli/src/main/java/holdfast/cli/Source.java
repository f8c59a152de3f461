package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.BadEvidence;
import holdfast.client.Home;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.Server;
import java.util.List;
import java.util.Optional;
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
    Optional<Statement.Placement> placement =
        byHand ? Optional.empty() : newest(home, target.server(), capsule);
    Replicas replicas = placement.map(Replicas::of).orElse(null);
    ReplicatedReader reader =
        replicas == null
            ? reader(List.of(target.server()), capsule)
            : replicas.openReader(List.of(), ReaderOptions.withoutCache());
    return new Source(terminal, replicas, reader);
  }

  private static ReplicatedReader reader(List<Server> servers, Hash capsule) {
    return new ReplicatedReader(servers, capsule, List.of(), ReaderOptions.withoutCache());
  }

  private static Optional<Statement.Placement> newest(Home home, Server server, Hash capsule)
      throws ProofException {
    Optional<Statement.Placement> kept = home.placement(capsule);
    Replicas known = kept.map(Replicas::of).orElse(null);
    try (ReplicatedReader asked =
        reader(known == null ? List.of(server) : known.servers(), capsule)) {
      Statement.Placement shown =
          Statement.Placement.current(asked.ask(one -> one.statements(true)));
      if (shown == null
          || (kept.isPresent() && Statement.Placement.ORDER.compare(shown, kept.get()) <= 0)) {
        return kept;
      }
      if (!home.capsules(capsule.toString()).isEmpty()) {
        home.keep(shown);
      }
      return Optional.of(shown);
    } finally {
      if (known != null) {
        known.close();
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
