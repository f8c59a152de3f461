package holdfast.bench;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.ChainProof;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.capsule.VerificationCache;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** What a reader does with the proof of a record: to a signature, and to what it has cached. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ChainProofMicro {
  private static final int CACHED = 1 << 16;

  /** Headers in the proof. */
  @Param({"1", "10", "100"})
  public int headers;

  private final MicroCapsule capsule = new MicroCapsule();
  private final VerificationCache cache = new VerificationCache(CACHED, CACHED);
  private List<Hash> target = List.of();
  private byte[] signed = new byte[0];
  private byte[] cached = new byte[0];

  /** Makes both proofs, and a cache that holds the first header of the second. */
  @Setup
  public void proofs() throws ProofException {
    List<Record> chain = capsule.chain(headers);
    target = List.of(chain.getFirst().name());
    signed = encode(chain, true);
    cached = encode(chain, false);
    ChainProof.verify(signed, capsule.name, capsule.metadata, cache, target);
  }

  private byte[] encode(List<Record> chain, boolean bySignature) {
    Encoder out = new Encoder().u32(chain.size());
    for (int i = chain.size() - 1; i >= 0; i--) {
      Record record = chain.get(i);
      out.raw(record.header().unsafeBytes());
      if (i < chain.size() - 1) {
        out.u8(1).u32(chain.size() - 2 - i);
      } else if (bySignature) {
        out.u8(0)
            .u16(0)
            .raw(
                Statement.WriterSignature.sign(capsule.name, record.name(), 0, capsule.writer)
                    .signature());
      } else {
        out.u8(2);
      }
    }
    return out.toBytes();
  }

  /** A chain that ends in a signature. */
  @Benchmark
  public List<ChainProof.Verified> toASignature() throws ProofException {
    return ChainProof.verify(signed, capsule.name, capsule.metadata, null, target);
  }

  /** A chain that ends in the cache, which then takes its headers in. */
  @Benchmark
  public List<ChainProof.Verified> toTheCache() throws ProofException {
    return ChainProof.verify(cached, capsule.name, capsule.metadata, cache, target);
  }
}
