package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.wire.Read;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A read under way. Answers are verified in the order in which they were asked for. */
public final class PendingRead {
  private final CapsuleReader reader;
  final List<Hash> names;
  final List<ReadResult.LeafName> leaves;
  final boolean prove;
  final ServerSession.Pending pending;
  final Read.Content content;
  @Nullable Results results;

  /** What a read brought: one result for each name and each leaf, in order. */
  public record Results(List<ReadResult> records, List<ReadResult.LeafResult> leaves) {}

  PendingRead(
      CapsuleReader reader,
      List<Hash> names,
      List<ReadResult.LeafName> leaves,
      boolean prove,
      ServerSession.Pending pending,
      Read.Content content) {
    this.reader = reader;
    this.names = names;
    this.leaves = leaves;
    this.prove = prove;
    this.pending = pending;
    this.content = content;
  }

  /** Waits for the answer, verifies it and returns it. */
  public Results await() throws ProofException {
    return reader.finish(this);
  }
}
