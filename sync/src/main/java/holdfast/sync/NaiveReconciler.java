package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;

/**
 * The baseline, exact and without chance: the initiator tells all its names in ascending order, a
 * page at a time; the other side answers each page with a bit per name, set if it lacks it, and
 * sees which of its own were not told.
 *
 * <pre>
 *   page:   u8 1 if the last ‖ u32 n, 1 or more unless the last ‖ n names
 *   answer: ⌈n/8⌉ bytes, see Bits
 * </pre>
 */
final class NaiveReconciler implements Reconciler {
  private static final int PAGE = SetLimits.MESSAGE_BYTES / Hash.SIZE;
  private static final String WHAT = "message of a naive reconciliation";

  private final boolean initiator;
  private final Hash[] names;
  private final BitSet lacked = new BitSet();
  private int from;
  private int to;
  private int told;
  private Hash last = Hash.ZERO;
  private boolean done;

  /**
   * @throws IllegalArgumentException if a name is given twice, or there are too many
   */
  NaiveReconciler(boolean initiator, Collection<Hash> names) {
    if (names.size() > SetLimits.NAMES) {
      throw new IllegalArgumentException(names.size() + " names are too many to compare at once");
    }
    this.initiator = initiator;
    this.names = Hash.sortedDistinct(names);
  }

  @Override
  public void begin(Consumer<byte[]> send) {
    if (initiator) {
      sendPage(send);
    }
  }

  private void sendPage(Consumer<byte[]> send) {
    from = to;
    to = Math.min(names.length, from + PAGE);
    Encoder out = new Encoder(5 + (to - from) * Hash.SIZE);
    out.u8(to == names.length ? 1 : 0).u32(to - from);
    for (int i = from; i < to; i++) {
      out.hash(names[i]);
    }
    send.accept(out.toBytes());
  }

  @Override
  public void receive(byte[] message, Consumer<byte[]> send) throws ProofException {
    Decoder in = new Decoder(message, WHAT);
    if (done) {
      throw in.malformed("comes after the last one");
    }
    if (initiator) {
      readAnswer(in, send);
    } else {
      readPage(in, send);
    }
  }

  private void readAnswer(Decoder in, Consumer<byte[]> send) throws ProofException {
    BitSet bits = Bits.read(in, to - from);
    in.end();
    for (int i = bits.nextSetBit(0); i >= 0; i = bits.nextSetBit(i + 1)) {
      lacked.set(from + i);
    }
    if (to == names.length) {
      done = true;
    } else {
      sendPage(send);
    }
  }

  private void readPage(Decoder in, Consumer<byte[]> send) throws ProofException {
    boolean end = Bits.flag(in);
    int count = in.u32(Math.min(PAGE, SetLimits.NAMES - told));
    if (count == 0 && !end) {
      throw in.malformed("has a page without names that is not the last");
    }
    BitSet answer = new BitSet(count);
    for (int i = 0; i < count; i++) {
      Hash name = in.hash();
      if (told++ > 0 && name.compareTo(last) <= 0) {
        throw in.malformed("has names that do not ascend");
      }
      last = name;
      passTo(name);
      if (to < names.length && names[to].equals(name)) {
        to++;
      } else {
        answer.set(i);
      }
    }
    in.end();
    if (end) {
      lacked.set(to, names.length);
      done = true;
    }
    Encoder out = new Encoder();
    Bits.write(answer, count, out);
    send.accept(out.toBytes());
  }

  /** All own names before this one that were not told are lacked. */
  private void passTo(Hash name) {
    while (to < names.length && names[to].compareTo(name) < 0) {
      lacked.set(to++);
    }
  }

  @Override
  public boolean done() {
    return done;
  }

  @Override
  public List<Hash> lackedByPeer() {
    List<Hash> list = new ArrayList<>(lacked.cardinality());
    for (int i = lacked.nextSetBit(0); i >= 0; i = lacked.nextSetBit(i + 1)) {
      list.add(names[i]);
    }
    return list;
  }
}
