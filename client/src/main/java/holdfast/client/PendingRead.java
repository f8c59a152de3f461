package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.RecordHeader;
import holdfast.wire.Read;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A read under way. Small reads that follow each other travel in one message; they are sent when
 * enough have gathered, or when one of them is waited for. Answers are verified in the order in
 * which they were asked for.
 */
public final class PendingRead {
  private final ReaderSession reader;
  private final Message message;
  private final int nameFrom;
  private final int nameTo;
  private final int leafFrom;
  private final int leafTo;

  /** What a read brought: one result for each name and each leaf, in order. */
  public record Results(List<ReadResult> records, List<ReadResult.LeafResult> leaves) {}

  /** Reads that share a message. */
  static final class Message {
    final Read.Content content;
    final List<Hash> names = new ArrayList<>();
    final List<ReadResult.LeafName> leaves = new ArrayList<>();

    /** Records whose headers are asked for because leaves of theirs are. */
    final Set<Hash> headers = new LinkedHashSet<>();

    /** Headers that leaves need and that are not asked for, because they were here already. */
    final Map<Hash, RecordHeader> known = new HashMap<>();

    /** Whether the proof is to rest on signatures alone. */
    final boolean ignoresCache;

    /** The session in which it was asked. */
    @Nullable CapsuleSession session;

    ServerSession.@Nullable Pending pending;
    @Nullable Results results;

    Message(Read.Content content, boolean ignoresCache) {
      this.content = content;
      this.ignoresCache = ignoresCache;
    }

    /** The same questions, to be answered without the cache. */
    Message withoutCache() {
      Message same = new Message(content, true);
      same.names.addAll(names);
      same.leaves.addAll(leaves);
      same.known.putAll(known);
      return same;
    }

    int size() {
      return names.size() + leaves.size();
    }
  }

  PendingRead(
      ReaderSession reader, Message message, List<Hash> names, List<ReadResult.LeafName> leaves) {
    this.reader = reader;
    this.message = message;
    this.nameFrom = message.names.size();
    this.nameTo = nameFrom + names.size();
    this.leafFrom = message.leaves.size();
    this.leafTo = leafFrom + leaves.size();
    message.names.addAll(names);
    message.leaves.addAll(leaves);
  }

  /** Waits for the answer, verifies it and returns it. */
  public Results await() throws ProofException {
    Results all = reader.finish(message);
    return new Results(
        all.records().subList(nameFrom, nameTo), all.leaves().subList(leafFrom, leafTo));
  }
}
