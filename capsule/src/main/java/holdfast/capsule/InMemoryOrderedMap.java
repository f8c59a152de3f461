package holdfast.capsule;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** An {@link OrderedMap} held in a tree; writes are visible at once. */
public final class InMemoryOrderedMap implements OrderedMap {
  private final TreeMap<byte[], byte[]> entries = new TreeMap<>(Arrays::compareUnsigned);

  @Override
  public byte @Nullable [] get(byte[] key) {
    return entries.get(key);
  }

  @Override
  public void put(byte[] key, byte[] value) {
    entries.put(key, value);
  }

  @Override
  public void remove(byte[] key) {
    entries.remove(key);
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    for (Map.Entry<byte[], byte[]> entry : entries.subMap(from, to).entrySet()) {
      if (!visitor.visit(entry.getKey(), entry.getValue())) {
        return;
      }
    }
  }
}
