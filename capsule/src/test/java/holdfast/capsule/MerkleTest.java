package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Trees and paths against RFC 6962, section 2.1, written down as it stands there. */
class MerkleTest {
  private static final int LARGEST = 130;

  /** MTH(D[n]), recursively, with hashing of its own. */
  private static Hash naiveRoot(List<Hash> leaves) {
    if (leaves.size() == 1) {
      return leaves.getFirst();
    }
    int k = Integer.highestOneBit(leaves.size() - 1);
    return naiveNode(naiveRoot(leaves.subList(0, k)), naiveRoot(leaves.subList(k, leaves.size())));
  }

  /** PATH(m, D[n]), recursively. */
  private static List<Hash> naivePath(int m, List<Hash> leaves) {
    if (leaves.size() == 1) {
      return List.of();
    }
    int k = Integer.highestOneBit(leaves.size() - 1);
    List<Hash> left = leaves.subList(0, k);
    List<Hash> right = leaves.subList(k, leaves.size());
    List<Hash> path = new ArrayList<>(m < k ? naivePath(m, left) : naivePath(m - k, right));
    path.add(m < k ? naiveRoot(right) : naiveRoot(left));
    return path;
  }

  private static Hash naiveNode(Hash left, Hash right) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(Bytes.utf8("hf1.node").toArray());
      sha.update(left.toBytes());
      return Hash.of(sha.digest(right.toBytes()));
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static Hash[] leaves(int count) {
    Gen gen = new Gen(count);
    return gen.list(count, gen::hash).toArray(new Hash[0]);
  }

  @Test
  void rootsAndPathsAreThoseOfTheRfc() {
    for (int size = 1; size <= LARGEST; size++) {
      Hash[] leaves = leaves(size);
      Hash root = naiveRoot(List.of(leaves));
      assertThat(Merkle.root(leaves)).as("root of " + size).isEqualTo(root);
      List<Hash[]> levels = Merkle.levels(leaves);
      assertThat(levels.getLast()).containsExactly(root);
      assertThat(levels).hasSize(Merkle.height(size) + 1);
      for (int level = 0; level < levels.size(); level++) {
        assertThat(levels.get(level)).hasSize(Merkle.count(size, level));
      }
      for (int i = 0; i < size; i++) {
        List<Hash> path = Merkle.path(levels, i);
        assertThat(path).as("path %d of %d", i, size).isEqualTo(naivePath(i, List.of(leaves)));
        assertThat(Merkle.pathLength(size, i)).isEqualTo(path.size());
        assertThat(Merkle.rootOfPath(leaves[i], size, i, path)).isEqualTo(root);
      }
    }
  }

  @Test
  void theLeavesGivenStayAsTheyWere() {
    Hash[] leaves = leaves(7);
    Hash[] copy = leaves.clone();
    Merkle.root(leaves);
    Merkle.levels(leaves);
    assertThat(leaves).isEqualTo(copy);
  }

  /** A tree that fills up with a copy of its last leaf has one root for two contents. */
  @Test
  void noLeafIsDuplicated() {
    for (int size = 1; size < LARGEST; size++) {
      Hash[] leaves = leaves(size);
      Hash[] longer = Arrays.copyOf(leaves, size + 1);
      longer[size] = leaves[size - 1];
      assertThat(Merkle.root(longer)).isNotEqualTo(Merkle.root(leaves));
    }
  }

  @Test
  void leavesAndNodesAreHashedApart() {
    Hash[] leaves = leaves(2);
    byte[] asContent = new byte[64];
    leaves[0].write(asContent, 0);
    leaves[1].write(asContent, 32);
    Hash node = Merkle.root(leaves);
    assertThat(Body.hashOf(asContent)).isNotEqualTo(node);
    assertThat(Sha256.get().hash(Domain.NODE, asContent)).isEqualTo(node);
  }

  // ---- Leaf proofs ---------------------------------------------------------------------------

  private static RecordHeader header(Hash root, int leaves) {
    return RecordHeader.of(
        Hash.ZERO, 0, 0, 0, new byte[16], 0, root, root, leaves, 16L * leaves, List.of());
  }

  private static LeafProof.Nodes nodes(Hash[] leaves) {
    List<Hash[]> levels = Merkle.levels(leaves);
    return (level, index) -> levels.get(level)[index];
  }

  @Test
  void d34EveryLeafOfEverySizeIsProvenWithoutAnyCache() throws ProofException {
    for (int size = 1; size <= LARGEST; size++) {
      Hash[] leaves = leaves(size);
      RecordHeader header = header(Merkle.root(leaves), size);
      for (int i = 0; i < size; i++) {
        List<Hash> path = new LeafProof.Prover(null).prove(9, size, i, nodes(leaves));
        assertThat(path).isEqualTo(naivePath(i, List.of(leaves)));
        new LeafProof.Verifier(null).verify(header, i, leaves[i], path);
      }
    }
  }

  @Test
  void d34ALeafProofHoldsForItsLeafItsPlaceAndItsRecordOnly() {
    Property.check(
        60,
        gen -> {
          int size = gen.between(2, 40);
          Hash[] leaves = leaves(size);
          RecordHeader header = header(Merkle.root(leaves), size);
          int leaf = gen.below(size);
          List<Hash> path = new LeafProof.Prover(null).prove(0, size, leaf, nodes(leaves));
          int other = (leaf + 1 + gen.below(size - 1)) % size;
          refused(header, other, leaves[leaf], path);
          refused(header, leaf, leaves[other], path);
          refused(header, leaf, gen.hash(), path);
          refused(header(gen.hash(), size), leaf, leaves[leaf], path);
          refused(header, size, leaves[leaf], path);
          refused(header, -1, leaves[leaf], path);
          refused(header, leaf, leaves[leaf], path.subList(0, path.size() - 1));
          List<Hash> longer = new ArrayList<>(path);
          longer.add(gen.hash());
          refused(header, leaf, leaves[leaf], longer);
          List<Hash> bent = new ArrayList<>(path);
          bent.set(gen.below(path.size()), gen.hash());
          refused(header, leaf, leaves[leaf], bent);
          // The size is bound: the same root with another number of leaves is another tree.
          int claimed = size % 2 == 0 ? size + 1 : size - 1;
          if (claimed > leaf && Merkle.pathLength(claimed, leaf) != path.size()) {
            refused(header(header.bodyRoot(), claimed), leaf, leaves[leaf], path);
          }
        });
  }

  private static void refused(RecordHeader header, int leaf, Hash hash, List<Hash> path) {
    Fixture.violates(() -> new LeafProof.Verifier(null).verify(header, leaf, hash, path));
  }

  @Test
  void aPathThatEndsAtANodeNeverVerifiedIsABrokenChain() throws ProofException {
    Hash[] leaves = leaves(8);
    RecordHeader header = header(Merkle.root(leaves), 8);
    VerificationCache cache = new VerificationCache(100, 0);
    LeafProof.Verifier first = new LeafProof.Verifier(cache);
    first.verify(header, 0, leaves[0], Merkle.path(Merkle.levels(leaves), 0));
    Fixture.violates(
        Violation.BROKEN_CHAIN,
        () -> new LeafProof.Verifier(cache).verify(header, 1, leaves[1], List.of()));
    first.admit(cache);
    new LeafProof.Verifier(cache).verify(header, 1, leaves[1], List.of());
    Fixture.violates(
        Violation.WRONG_BODY,
        () -> new LeafProof.Verifier(cache).verify(header, 1, leaves[2], List.of()));
    // What is known of one record says nothing about another with the same root.
    RecordHeader twin =
        RecordHeader.of(
            Hash.ZERO,
            1,
            0,
            0,
            new byte[16],
            0,
            header.bodyRoot(),
            header.bodyRoot(),
            8,
            128,
            List.of());
    Fixture.violates(
        Violation.BROKEN_CHAIN,
        () -> new LeafProof.Verifier(cache).verify(twin, 1, leaves[1], List.of()));
  }

  @Test
  void d35SequentialReadsCostAboutOneHashEach() throws ProofException {
    int size = 128;
    Hash[] leaves = leaves(size);
    RecordHeader header = header(Merkle.root(leaves), size);
    CacheMirror mirror = new CacheMirror(1000);
    VerificationCache cache = new VerificationCache(1000, 0);
    int sent = 0;
    for (int i = 0; i < size; i++) {
      LeafProof.Prover prover = new LeafProof.Prover(mirror);
      List<Hash> path = prover.prove(3, size, i, nodes(leaves));
      sent += path.size();
      LeafProof.Verifier verifier = new LeafProof.Verifier(cache);
      verifier.verify(header, i, leaves[i], path);
      verifier.admit(cache);
      mirror.await(i + 1, prover.additions());
      mirror.acknowledge(i + 1);
    }
    assertThat(sent).isEqualTo(size - 1);
  }

  @Test
  void d35ProverAndVerifierStayInStepWithAnyCache() {
    Property.check(
        60,
        gen -> {
          int capacity = gen.pick(List.of(0, 1, 3, 10, 40, 1000));
          CacheMirror mirror = new CacheMirror(capacity);
          VerificationCache cache = new VerificationCache(capacity, gen.below(20));
          Map<Long, Hash[]> records = new HashMap<>();
          for (long arrival = 0; arrival < 3; arrival++) {
            int size = gen.between(1, 40);
            records.put(arrival, gen.list(size, gen::hash).toArray(new Hash[0]));
          }
          for (int answer = 1; answer <= 20; answer++) {
            LeafProof.Prover prover = new LeafProof.Prover(mirror);
            LeafProof.Verifier verifier = new LeafProof.Verifier(cache);
            for (int i = gen.between(1, 6); i > 0; i--) {
              long arrival = gen.below(3);
              Hash[] leaves = records.get(arrival);
              int leaf = gen.below(leaves.length);
              List<Hash> path = prover.prove(arrival, leaves.length, leaf, nodes(leaves));
              assertThat(path.size()).isLessThanOrEqualTo(Merkle.pathLength(leaves.length, leaf));
              verifier.verify(header(Merkle.root(leaves), leaves.length), leaf, leaves[leaf], path);
            }
            verifier.admit(cache);
            mirror.await(answer, prover.additions());
            mirror.acknowledge(answer);
            assertThat(mirror.size()).isLessThanOrEqualTo(Math.min(capacity, cache.size()));
          }
        });
  }
}
