package holdfast.bench;

import holdfast.base.Hash;
import holdfast.capsule.Record;
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

/** What a writer does for one record of one leaf: seal it, make the header, name it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class SealingMicro {
  /** Bytes of the leaf. */
  @Param({"16", "1024", "65536"})
  public int leafBytes;

  private final MicroCapsule capsule = new MicroCapsule();
  private List<byte[]> leaves = List.of();
  private List<Hash> pointers = List.of();

  /** Makes the content. */
  @Setup
  public void content() {
    leaves = List.of(new byte[leafBytes]);
    pointers = List.of(capsule.chain(1).getFirst().name());
  }

  /** One record, and its name. */
  @Benchmark
  public Hash sealAndName() {
    Record record = capsule.sealer.seal(leaves, 1, pointers);
    return record.name();
  }
}
