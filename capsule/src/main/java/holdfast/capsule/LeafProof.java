package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Sha256;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

  /** What the prover of one answer takes as known: the reader's cache, and the answer so far. */
  public static final class Prover {
    private final @Nullable CacheMirror mirror;
    private final Set<Long> given = new LinkedHashSet<>();

    /** A prover for one answer; without a mirror nothing is known at first. */
    public Prover(@Nullable CacheMirror mirror) {
      this.mirror = mirror;
    }

    /** The siblings that prove a leaf, bottom first. */
    public List<Hash> prove(long arrival, int leaves, int leaf, Nodes nodes) {
      List<Hash> siblings = new ArrayList<>();
      int height = Merkle.height(leaves);
      for (int level = 0; level < height; level++) {
        int at = leaf >>> level;
        int sibling = at ^ 1;
        if (sibling >= Merkle.count(leaves, level)) {
          continue;
        }
        long key = CacheMirror.key(arrival, CacheMirror.node(level, at));
        if (given.contains(key) || (mirror != null && mirror.contains(key))) {
          break;
        }
        siblings.add(nodes.at(level, sibling));
        given.add(key);
        given.add(CacheMirror.key(arrival, CacheMirror.node(level, sibling)));
      }
      return siblings;
    }

    /** What the reader's cache gains by this answer, in order. */
    public long[] additions() {
      return given.stream().mapToLong(Long::longValue).toArray();
    }
  }

  /**
   * What the verifier of one answer takes as known: the reader's cache, and the leaves of this
   * answer that held. Nothing enters the cache before {@link #admit}.
   */
  public static final class Verifier {
    private final @Nullable VerificationCache cache;
    private final Map<VerificationCache.NodeKey, Hash> gained = new LinkedHashMap<>();

    /** A verifier for one answer. */
    public Verifier(@Nullable VerificationCache cache) {
      this.cache = cache;
    }

    /** Checks a leaf against the header of its record, which must itself be verified. */
    public void verify(RecordHeader header, int leaf, Hash leafHash, List<Hash> siblings)
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
      List<Map.Entry<VerificationCache.NodeKey, Hash>> steps = new ArrayList<>();
      int used = 0;
      int height = Merkle.height(header.leafCount());
      for (int level = 0; level < height; level++) {
        int at = leaf >>> level;
        if ((at ^ 1) >= Merkle.count(header.leafCount(), level)) {
          continue;
        }
        var key = new VerificationCache.NodeKey(record, CacheMirror.node(level, at));
        if (used == siblings.size()) {
          Hash known = known(key);
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
          gain(steps);
          return;
        }
        Hash sibling = siblings.get(used++);
        steps.add(Map.entry(key, node));
        steps.add(
            Map.entry(
                new VerificationCache.NodeKey(record, CacheMirror.node(level, at ^ 1)), sibling));
        node = (at & 1) == 0 ? sha.node(node, sibling) : sha.node(sibling, node);
      }
      if (used != siblings.size()) {
        throw new ProofException(
            Violation.MALFORMED,
            "the path of leaf " + leaf + " of record " + record.brief() + " is too long");
      }
      matches(header.bodyRoot(), node, record, leaf);
      gain(steps);
    }

    private @Nullable Hash known(VerificationCache.NodeKey key) {
      Hash here = gained.get(key);
      return here != null || cache == null ? here : cache.node(key);
    }

    private void gain(List<Map.Entry<VerificationCache.NodeKey, Hash>> steps) {
      steps.forEach(step -> gained.putIfAbsent(step.getKey(), step.getValue()));
    }

    /** Adds what was gained to the cache, in order, once everything in the answer holds. */
    public void admit(VerificationCache to) {
      gained.forEach(to::addNode);
    }
  }

  private static void matches(Hash expected, Hash found, Hash record, int leaf)
      throws ProofException {
    if (!expected.equals(found)) {
      throw new ProofException(
          Violation.WRONG_BODY,
          "leaf " + leaf + " is not the one that record " + record.brief() + " commits to");
    }
  }
}
