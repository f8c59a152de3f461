package holdfast.testkit;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/** A source of values that a seed determines. Not safe for use by several threads. */
public final class Gen {
  private static final String[] LETTERS = {"a", "B", "7", " ", "\n", "ä", "€", "漢", "\uD83D\uDE80"};

  private final SplittableRandom random;

  /** The source of this seed. */
  public Gen(long seed) {
    random = new SplittableRandom(seed);
  }

  /** A number of 0 or more and below {@code bound}. */
  public int below(int bound) {
    return random.nextInt(bound);
  }

  /** A number from {@code least} to {@code most}, both included. */
  public int between(int least, int most) {
    return random.nextInt(least, most + 1);
  }

  /** Any number of 0 or more, small ones as often as large ones. */
  public long anyLong() {
    return random.nextLong() >>> between(1, 63);
  }

  /** True once in {@code n} times. */
  public boolean oneIn(int n) {
    return random.nextInt(n) == 0;
  }

  /** One of the items. */
  public <T> T pick(List<T> items) {
    return items.get(below(items.size()));
  }

  /** {@code count} bytes. */
  public byte[] bytes(int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  /** Up to {@code most} bytes, none at all now and then. */
  public byte[] bytesUpTo(int most) {
    return bytes(oneIn(8) ? 0 : between(0, most));
  }

  /** Any hash. */
  public Hash hash() {
    return Hash.of(bytes(Hash.SIZE));
  }

  /** A text of at most {@code mostBytes} bytes of UTF-8, with characters of every length. */
  public String text(int mostBytes) {
    StringBuilder text = new StringBuilder();
    for (int room = between(0, mostBytes); room >= 4; room -= 4) {
      text.append(LETTERS[below(LETTERS.length)]);
    }
    return text.toString();
  }

  /** {@code count} values. */
  public <T> List<T> list(int count, Supplier<T> value) {
    List<T> list = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      list.add(value.get());
    }
    return list;
  }

  /** The items in another order. */
  public <T> List<T> shuffled(List<T> items) {
    List<T> list = new ArrayList<>(items);
    for (int i = list.size() - 1; i > 0; i--) {
      Collections.swap(list, i, below(i + 1));
    }
    return list;
  }

  /** Some of the items, at most {@code most}, each once. */
  public <T> List<T> some(List<T> items, int most) {
    return shuffled(items).subList(0, between(0, Math.min(most, items.size())));
  }
}
