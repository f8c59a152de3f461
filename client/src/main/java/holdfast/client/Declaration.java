package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.net.Endpoint;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What became of statements of an owner that were told to several servers. One that has taken them
 * is enough for them to hold: anti-entropy brings them to the others.
 *
 * @param told in the order in which the servers were given
 */
public record Declaration(List<Told> told) {
  private static final long TIMEOUT_MILLIS = 30_000;

  /** Copies the list. */
  public Declaration {
    told = List.copyOf(told);
  }

  /**
   * A server that was told.
   *
   * @param receipt its acknowledgement that all of it is durable there, verified; null when there
   *     is none
   * @param failure why there is none; null when there is one
   */
  public record Told(Endpoint server, @Nullable Receipt receipt, @Nullable Exception failure) {}

  /** Tells all servers at the same time; each gets all of the statements, in their order. */
  public static Declaration tell(List<Server> servers, List<? extends Statement> statements) {
    return new Declaration(
        AtOnce.ask(servers, server -> tell(server, statements), "telling servers"));
  }

  private static Told tell(Server server, List<? extends Statement> statements) {
    Hash capsule = statements.getFirst().capsule();
    try (CapsuleSession session =
        CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      return new Told(server.endpoint(), session.declareAll(statements), null);
    } catch (HoldfastException | ProofException e) {
      return new Told(server.endpoint(), null, e);
    }
  }

  /** How many have taken it durably. */
  public int acknowledged() {
    return (int) told.stream().filter(one -> one.receipt() != null).count();
  }

  /**
   * The first acknowledgement.
   *
   * @throws ProofException when there is none and a server has given bad evidence
   * @throws HoldfastException when there is none, with what the first server said
   */
  public Receipt first() throws ProofException {
    for (Told one : told) {
      if (one.receipt() != null) {
        return one.receipt();
      }
    }
    for (Told one : told) {
      if (one.failure() instanceof ProofException bad) {
        throw bad;
      }
    }
    throw (HoldfastException) Objects.requireNonNull(told.getFirst().failure());
  }
}
