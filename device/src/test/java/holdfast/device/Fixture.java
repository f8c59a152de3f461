package holdfast.device;

import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What several tests draw or share. */
final class Fixture {
  static final DeviceKey KEY = DeviceKey.ofSeed(filled(0xD1, 32));
  static final Octets INCARNATION = Octets.wrap(filled(0x1C, 16));

  private Fixture() {}

  static byte[] filled(int value, int size) {
    byte[] bytes = new byte[size];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  static Operation operation(Gen gen, long sequence) {
    String space = gen.pick(List.of("home", "0", "a.b_c-d"));
    String key = "k" + gen.text(40);
    long time = gen.anyLong();
    if (gen.oneIn(4)) {
      return new Operation.Delete(sequence, time, space, key);
    }
    String type = gen.pick(List.of("", "text/plain; charset=utf-8", "application/json"));
    return new Operation.Put(sequence, time, space, key, type, Octets.wrap(gen.bytesUpTo(60)));
  }

  /** A batch with operations and ranges in any mixture. */
  static Batch batch(Gen gen) {
    long first = gen.between(1, 1000);
    long next = first;
    List<Range> ranges = new ArrayList<>();
    List<Operation> operations = new ArrayList<>();
    for (int parts = gen.between(1, 8); parts > 0; parts--) {
      if (gen.oneIn(2)) {
        operations.add(operation(gen, next++));
      } else {
        Reason reason = gen.pick(List.of(Reason.values()));
        long last = next + gen.below(5);
        Range before = ranges.isEmpty() ? null : ranges.getLast();
        if (before != null && before.last() == next - 1 && before.reason() == reason) {
          ranges.set(ranges.size() - 1, new Range(reason, before.first(), last));
        } else {
          ranges.add(new Range(reason, next, last));
        }
        next = last + 1;
      }
    }
    return Batch.sign(KEY, INCARNATION, first, next - 1, ranges, operations);
  }
}
