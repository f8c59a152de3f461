package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The way from a leaf to the root of its record's body, cut short at the first node the reader has
 * verified (DCS paper, section 4.2). Prover and verifier walk the same steps and add the same nodes
 * to mirror and cache: each node on the way that has a sibling, then the sibling.
 */
public final class LeafProof {
  private LeafProof() {}

  /** Gives the hash of a node of a record's Merkle tree. */
  @FunctionalInterface
  public interface Nodes {
    /** The hash of node {@code index} on {@code level}; level 0 holds the leaves. */
    Hash at(int level, int index);
  }

  /**
   * The siblings that prove a leaf, bottom first.
   *
   * @param mirror the reader's cache; null to go up to the root
   * @param additions receives the keys that the reader's cache gains, in order
   */
  public static List<Hash> prove(
      @Nullable CacheMirror mirror,
      long arrival,
      int leaves,
      int leaf,
      Nodes nodes,
      LongConsumer additions) {
    List<Hash> siblings = new ArrayList<>();
    int height = Merkle.height(leaves);
    for (int level = 0; level < height; level++) {
      int at = leaf >>> level;
      int node = CacheMirror.node(level, at);
      if (mirror != null && mirror.contains(CacheMirror.key(arrival, node))) {
        break;
      }
      int sibling = at ^ 1;
      if (sibling < Merkle.count(leaves, level)) {
        siblings.add(nodes.at(level, sibling));
        additions.accept(CacheMirror.key(arrival, node));
        additions.accept(CacheMirror.key(arrival, CacheMirror.node(level, sibling)));
      }
    }
    return siblings;
  }

  /** A node that becomes known when a whole answer has been checked. */
  public record Known(Hash record, int node, Hash hash) {}

  /**
   * Checks a leaf against the header of its record, which must itself be verified.
   *
   * @param cache what the reader has verified before; null when there is nothing
   * @param gained receives the nodes to add, in order, once everything in the answer holds
   */
  public static void verify(
      RecordHeader header,
      int leaf,
      Hash leafHash,
      List<Hash> siblings,
      @Nullable VerificationCache cache,
      List<Known> gained)
      throws ProofException {
    if (leaf < 0 || leaf >= header.leafCount()) {
      throw new ProofException(
          Violation.WRONG_BODY,
          "record "
              + header.name().brief()
              + " has "
              + header.leafCount()
              + " leaves; there is no leaf "
              + leaf);
    }
    Sha256 sha = Sha256.get();
    Hash record = header.name();
    Hash node = leafHash;
    int used = 0;
    int height = Merkle.height(header.leafCount());
    for (int level = 0; level < height; level++) {
      int at = leaf >>> level;
      if ((at ^ 1) >= Merkle.count(header.leafCount(), level)) {
        continue;
      }
      int number = CacheMirror.node(level, at);
      if (used == siblings.size()) {
        Hash known = cache == null ? null : cache.node(record, number);
        if (known == null) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "the path of leaf "
                  + leaf
                  + " of record "
                  + record.brief()
                  + " ends at a node that was never verified here");
        }
        matches(known, node, record, leaf);
        return;
      }
      Hash sibling = siblings.get(used++);
      gained.add(new Known(record, number, node));
      gained.add(new Known(record, CacheMirror.node(level, at ^ 1), sibling));
      node = (at & 1) == 0 ? sha.node(node, sibling) : sha.node(sibling, node);
    }
    if (used != siblings.size()) {
      throw new ProofException(
          Violation.MALFORMED,
          "the path of leaf " + leaf + " of record " + record.brief() + " is too long");
    }
    matches(header.bodyRoot(), node, record, leaf);
  }

  private static void matches(Hash expected, Hash found, Hash record, int leaf)
      throws ProofException {
    if (!expected.equals(found)) {
      throw new ProofException(
          Violation.WRONG_BODY,
          "leaf " + leaf + " is not the one that record " + record.brief() + " commits to");
    }
  }

  /** Adds what an answer gained. */
  public static void admit(List<Known> gained, VerificationCache cache) {
    for (Known known : gained) {
      cache.addNode(known.record(), known.node(), known.hash());
    }
  }
}
