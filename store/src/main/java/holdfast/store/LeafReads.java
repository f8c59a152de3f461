package holdfast.store;

import holdfast.capsule.Body;
import holdfast.capsule.RecordHeader;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Leaves of a capsule, as one request reads them. Not safe for use by several threads. */
public final class LeafReads {
  private static final long KEPT_BYTES = 4 << 20;

  private record Place(long arrival, int chunk) {}

  private final Contents contents;
  private final Map<Place, Body> chunks = new HashMap<>();
  private long keptBytes;

  LeafReads(Contents contents) {
    this.contents = contents;
  }

  /** A sealed leaf; null when it is erased. The leaf must exist. */
  public byte @Nullable [] sealed(long arrival, RecordHeader header, int leaf) {
    return contents.leaf(arrival, header, leaf, this);
  }

  /** The chunk in which a leaf lies; neighbours share it. */
  Body chunk(long arrival, RecordHeader header, int leaf) {
    Place place = new Place(arrival, Bodies.chunkOf(header, leaf));
    Body chunk = chunks.get(place);
    if (chunk == null) {
      chunk = contents.chunk(arrival, header, leaf);
      keptBytes += chunk.unsafeBytes().length;
      if (keptBytes > KEPT_BYTES) {
        chunks.clear();
        keptBytes = chunk.unsafeBytes().length;
      }
      chunks.put(place, chunk);
    }
    return chunk;
  }
}
