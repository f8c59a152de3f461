package holdfast.bench;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Merkle;
import holdfast.capsule.Record;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** The path of one leaf to the body root: made by the server, checked by the reader. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LeafProofMicro {
  /** Leaves of the record. */
  @Param({"16", "1024", "65536"})
  public int leaves;

  private final MicroCapsule capsule = new MicroCapsule();
  private Record record = capsule.chain(1).getFirst();
  private List<Hash[]> levels = List.of();
  private List<Hash> path = List.of();
  private Hash leafHash = Hash.ZERO;

  /** Makes the record and the tree over its leaves. */
  @Setup
  public void tree() throws ProofException {
    List<byte[]> content = new ArrayList<>();
    for (int i = 0; i < leaves; i++) {
      content.add(new byte[16]);
    }
    record = capsule.sealer.seal(content, 1, List.of());
    Body body = Objects.requireNonNull(record.body());
    levels = Merkle.levels(body.leafHashes());
    leafHash = body.leafHash(leaves / 3);
    path = prove();
    verify();
  }

  /** The siblings of one leaf. */
  @Benchmark
  public List<Hash> prove() {
    return new LeafProof.Prover(null)
        .prove(0, leaves, leaves / 3, (level, index) -> levels.get(level)[index]);
  }

  /** The check of one leaf, of which nothing is cached. */
  @Benchmark
  public LeafProof.Verifier verify() throws ProofException {
    LeafProof.Verifier verifier = new LeafProof.Verifier(null);
    verifier.verify(record.header(), leaves / 3, leafHash, path);
    return verifier;
  }
}
