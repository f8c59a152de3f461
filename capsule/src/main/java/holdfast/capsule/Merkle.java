package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.crypto.Sha256;
import java.util.ArrayList;
import java.util.List;

/**
 * Merkle trees in the shape of RFC 6962: a tree of n leaves has a left subtree with the largest
 * power of two below n. Built level by level that is the same as promoting the last node of a level
 * with odd count unchanged; no leaf is ever duplicated.
 *
 * <p>A node is addressed by its level (0 = leaves) and its index within the level.
 */
public final class Merkle {
  private Merkle() {}

  /** Nodes on {@code level} of a tree with {@code leaves} leaves. */
  public static int count(int leaves, int level) {
    return (int) ((leaves + (1L << level) - 1) >>> level);
  }

  /** The level on which the root of a tree with {@code leaves} leaves stands. */
  public static int height(int leaves) {
    return leaves <= 1 ? 0 : 32 - Integer.numberOfLeadingZeros(leaves - 1);
  }

  /** The root over leaf hashes; there must be at least one. */
  public static Hash root(Hash[] leafHashes) {
    if (leafHashes.length == 1) {
      return leafHashes[0];
    }
    Sha256 sha = Sha256.get();
    Hash[] level = leafHashes.clone();
    int count = level.length;
    while (count > 1) {
      count = raise(level, count, sha);
    }
    return level[0];
  }

  private static int raise(Hash[] level, int count, Sha256 sha) {
    int pairs = count >>> 1;
    for (int i = 0; i < pairs; i++) {
      level[i] = sha.node(level[2 * i], level[2 * i + 1]);
    }
    if ((count & 1) == 1) {
      level[pairs] = level[count - 1];
      return pairs + 1;
    }
    return pairs;
  }

  /** All levels of the tree, leaves first; the last level is the root alone. */
  public static List<Hash[]> levels(Hash[] leafHashes) {
    Sha256 sha = Sha256.get();
    List<Hash[]> levels = new ArrayList<>();
    levels.add(leafHashes);
    Hash[] level = leafHashes;
    while (level.length > 1) {
      Hash[] next = level.clone();
      int count = raise(next, level.length, sha);
      level = java.util.Arrays.copyOf(next, count);
      levels.add(level);
    }
    return levels;
  }

  /** The audit path of a leaf: the siblings on its way to the root, bottom first. */
  public static List<Hash> path(List<Hash[]> levels, int index) {
    List<Hash> path = new ArrayList<>();
    for (int level = 0; level + 1 < levels.size(); level++) {
      int sibling = (index >>> level) ^ 1;
      if (sibling < levels.get(level).length) {
        path.add(levels.get(level)[sibling]);
      }
    }
    return path;
  }

  /** Number of siblings on the way of leaf {@code index} to the root. */
  public static int pathLength(int leaves, int index) {
    int length = 0;
    for (int level = 0; level < height(leaves); level++) {
      if (((index >>> level) ^ 1) < count(leaves, level)) {
        length++;
      }
    }
    return length;
  }

  /**
   * The root that a leaf and its path lead to.
   *
   * @param path exactly {@link #pathLength} siblings, bottom first
   */
  public static Hash rootOfPath(Hash leafHash, int leaves, int index, List<Hash> path) {
    Sha256 sha = Sha256.get();
    Hash node = leafHash;
    int next = 0;
    for (int level = 0; level < height(leaves); level++) {
      int at = index >>> level;
      if ((at ^ 1) < count(leaves, level)) {
        Hash sibling = path.get(next++);
        node = (at & 1) == 0 ? sha.node(node, sibling) : sha.node(sibling, node);
      }
    }
    return node;
  }
}
