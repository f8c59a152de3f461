package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What belongs to a capsule that its owner has closed: the final heads of the succession, and what
 * a chain of headers shows to lie below them.
 *
 * <p>That a record is proven does not show that it belongs. A signature may be by a key whose theft
 * made the owner close the capsule, and what a reader verified before it knew of the succession may
 * lie outside too. So a proof counts only if <em>every</em> header in it is a final head, is
 * pointed at by one before it that belongs, or was verified before under this same rule. A
 * signature on a record outside counts for nothing, not even for what lies below.
 *
 * <p>Nobody can show that a record lies outside; one that is not shown to belong is refused.
 */
public final class FinalHeads {
  private final Statement.Succession statement;
  private final Set<Hash> heads;

  private FinalHeads(Statement.Succession statement) {
    this.statement = statement;
    this.heads = Set.copyOf(statement.finalHeads());
  }

  /**
   * The final heads that an owner states.
   *
   * @throws ProofException when the statement is about another capsule or not by its owner
   */
  public static FinalHeads of(Statement.Succession statement, Metadata metadata)
      throws ProofException {
    if (!statement.capsule().equals(metadata.name())) {
      throw new ProofException(
          Violation.WRONG_CAPSULE,
          "the succession closes capsule "
              + statement.capsule().brief()
              + ", not "
              + metadata.name().brief());
    }
    statement.verify(metadata);
    return new FinalHeads(statement);
  }

  /** Reads and checks an encoded succession. */
  public static FinalHeads decode(byte[] encoded, Metadata metadata) throws ProofException {
    if (!(Statement.decode(encoded) instanceof Statement.Succession statement)) {
      throw new ProofException(
          Violation.MALFORMED, "a statement of another kind stands where a succession belongs");
    }
    return of(statement, metadata);
  }

  /** The owner's statement. */
  public Statement.Succession statement() {
    return statement;
  }

  /** The capsule in which things go on. */
  public Hash successor() {
    return statement.successor();
  }

  /**
   * Checks that all of a proof that holds belongs to the capsule.
   *
   * @param proof the headers in their order
   * @param known whether a record was verified before, under the rule of these same final heads
   */
  public void require(List<ChainProof.Verified> proof, Predicate<Hash> known)
      throws ProofException {
    Set<Hash> below = new HashSet<>();
    for (ChainProof.Verified one : proof) {
      Hash name = one.header().name();
      if (!heads.contains(name) && !below.contains(name) && !known.test(name)) {
        throw outside("record " + name.brief());
      }
      below.addAll(one.header().pointers());
    }
  }

  /** Closes a graph and checks that all of its records belong to the capsule. */
  public void require(RecordGraph graph) throws ProofException {
    graph.close(statement.finalHeads());
    for (long arrival = 0; arrival < graph.size(); arrival++) {
      if (!graph.isFinal(arrival)) {
        throw outside("record number " + arrival);
      }
    }
  }

  private ProofException outside(String record) {
    return new ProofException(
        Violation.OUTSIDE,
        record
            + " is not shown to lie below the final heads with which the owner closed the capsule;"
            + " it goes on in capsule "
            + successor());
  }
}
