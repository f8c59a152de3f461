package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * By rateless sketch: what is sent grows with the difference of the sets, not with the sets (Yang,
 * Gilad and Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024). See {@link
 * CodedSymbols} and {@link SketchDecoder}; the items are the ids of {@link SaltedNames}.
 *
 * <pre>
 *   initiator                                    other side
 *     OPEN     number of names, symbols    ──▶
 *                                          ◀──   MORE     how many symbols
 *     SYMBOLS  as many symbols             ──▶   …until all is decoded
 *                                          ◀──   FOUND    ids that it lacks, ascending; a page
 *     NEXT                                 ──▶   …unless it was the last page
 * </pre>
 *
 * <p>The other side tells the initiator's ids apart from its own by looking into its own set. After
 * symbols of as many bytes as all the names, or at once if the sizes of the sets tell that those
 * would not do, it answers NAIVE instead, and a {@link NaiveReconciler} does it.
 *
 * <pre>
 *   OPEN    u8 1 ‖ u32 ‖ 32 symbols      symbol: 8-byte sum ‖ 8-byte check
 *   SYMBOLS u8 2 ‖ symbols               NEXT  u8 3
 *   MORE    u8 4 ‖ u32                   NAIVE u8 6
 *   FOUND   u8 5 ‖ u8 1 if the last ‖ u32 n ‖ n ids of 8 bytes
 * </pre>
 */
final class SketchReconciler implements Reconciler {
  private static final int OPEN = 1;
  private static final int SYMBOLS = 2;
  private static final int NEXT = 3;
  private static final int MORE = 4;
  private static final int FOUND = 5;
  private static final int NAIVE = 6;

  /** Symbols of the first message: 8 KiB, which find some 350 differences without asking again. */
  static final int FIRST = 512;

  /** Symbols of one message at most. */
  private static final int BATCH = SetLimits.MESSAGE_BYTES / SketchDecoder.SYMBOL_BYTES;

  /** Symbols at most, of whatever sets; the other side holds them all. */
  private static final int SYMBOLS_MOST = 1 << 21;

  private static final int PAGE = SetLimits.MESSAGE_BYTES / 8;
  private static final String WHAT = "message of a reconciliation by sketch";

  private enum State {
    IDLE,
    /** Other side: waits for OPEN. */
    CLOSED,
    /** Other side: waits for the symbols asked for. */
    DECODING,
    /** Other side: waits for NEXT. */
    TELLING,
    /** Initiator: waits for MORE, FOUND or NAIVE. */
    STREAMING,
    /** Initiator: waits for FOUND. */
    LISTENING,
    DONE
  }

  private final boolean initiator;
  private final SaltedNames names;
  private final BitSet lacked = new BitSet();
  private State state = State.IDLE;
  private @Nullable CodedSymbols encoder;
  private @Nullable SketchDecoder decoder;
  private @Nullable NaiveReconciler naive;
  private int end;
  private int asked = FIRST;
  private long[] toTell = new long[0];
  private int told;
  private int heard;
  private long lastHeard;

  /**
   * @throws IllegalArgumentException if a name is given twice, or there are too many
   */
  SketchReconciler(boolean initiator, Hash salt, Collection<Hash> names) {
    this.initiator = initiator;
    this.names = new SaltedNames(salt, names);
  }

  /** Symbols that the initiator tells at most, by the number of its names. */
  private static int most(int initiatorsNames) {
    long asNames = (long) initiatorsNames * Hash.SIZE / SketchDecoder.SYMBOL_BYTES;
    return Math.clamp(asNames, 2 * FIRST, SYMBOLS_MOST);
  }

  private CodedSymbols symbols() {
    CodedSymbols symbols = new CodedSymbols(end, names.size());
    for (int i = 0; i < names.size(); i++) {
      symbols.add(names.id(i));
    }
    return symbols;
  }

  @Override
  public void begin(Consumer<byte[]> send) {
    if (!initiator) {
      state = State.CLOSED;
      return;
    }
    end = most(names.size());
    encoder = symbols();
    state = State.STREAMING;
    sendSymbols(encoder, new Encoder().u8(OPEN).u32(names.size()), FIRST, send);
  }

  private static void sendSymbols(
      CodedSymbols from, Encoder out, int count, Consumer<byte[]> send) {
    long[] sums = new long[count];
    long[] checks = new long[count];
    from.take(count, sums, checks, 0);
    ByteBuffer symbols = ByteBuffer.allocate(count * SketchDecoder.SYMBOL_BYTES);
    for (int i = 0; i < count; i++) {
      symbols.putLong(sums[i]).putLong(checks[i]);
    }
    send.accept(out.raw(symbols.array()).toBytes());
  }

  @Override
  public void receive(byte[] message, Consumer<byte[]> send) throws ProofException {
    if (naive != null) {
      naive.receive(message, send);
      return;
    }
    Decoder in = new Decoder(message, WHAT);
    int kind = in.u8();
    boolean expected =
        switch (state) {
          case IDLE, DONE -> false;
          case CLOSED -> kind == OPEN;
          case DECODING -> kind == SYMBOLS;
          case TELLING -> kind == NEXT;
          case STREAMING -> kind == MORE || kind == FOUND || kind == NAIVE;
          case LISTENING -> kind == FOUND;
        };
    if (!expected) {
      throw in.malformed("is of kind " + kind + ", which has no place here");
    }
    switch (kind) {
      case OPEN -> readOpen(in, send);
      case SYMBOLS -> decode(in, send);
      case NEXT -> {
        in.end();
        tellPage(send);
      }
      case MORE -> readMore(in, send);
      case FOUND -> readFound(in, send);
      default -> {
        in.end();
        goNaive(send);
      }
    }
  }

  // ---- The initiator ---------------------------------------------------------------------------

  private void readMore(Decoder in, Consumer<byte[]> send) throws ProofException {
    CodedSymbols symbols = Objects.requireNonNull(encoder);
    int count = in.u32(Math.min(BATCH, end - symbols.taken()));
    if (count == 0) {
      throw in.malformed("asks for nothing");
    }
    in.end();
    sendSymbols(symbols, new Encoder().u8(SYMBOLS), count, send);
  }

  private void readFound(Decoder in, Consumer<byte[]> send) throws ProofException {
    boolean last = Bits.flag(in);
    int count = in.u32(PAGE);
    if (count == 0 && !last) {
      throw in.malformed("has a page without names that is not the last");
    }
    ByteBuffer ids = ByteBuffer.wrap(in.raw(8 * count));
    in.end();
    for (int i = 0; i < count; i++) {
      long id = ids.getLong();
      if (heard++ > 0 && Long.compareUnsigned(id, lastHeard) <= 0) {
        throw in.malformed("has ids that do not ascend");
      }
      lastHeard = id;
      if (!names.mark(id, lacked)) {
        throw in.malformed("lacks an id that is not here");
      }
    }
    encoder = null;
    if (last) {
      state = State.DONE;
    } else {
      state = State.LISTENING;
      send.accept(new byte[] {NEXT});
    }
  }

  // ---- The other side --------------------------------------------------------------------------

  private void readOpen(Decoder in, Consumer<byte[]> send) throws ProofException {
    int size = in.u32(SetLimits.NAMES);
    end = most(size);
    if (Math.abs(size - names.size()) > end) {
      in.raw(FIRST * SketchDecoder.SYMBOL_BYTES);
      in.end();
      goNaive(send);
      return;
    }
    decoder = new SketchDecoder(symbols(), end);
    decode(in, send);
  }

  private void decode(Decoder in, Consumer<byte[]> send) throws ProofException {
    SketchDecoder symbols = Objects.requireNonNull(decoder);
    symbols.receive(in, asked);
    in.end();
    if (symbols.decoded()) {
      decoder = null;
      take(symbols.ids(), in);
      tellPage(send);
    } else if (symbols.size() == end) {
      goNaive(send);
    } else {
      asked = Math.min(symbols.wanted(), Math.min(BATCH, end - symbols.size()));
      state = State.DECODING;
      send.accept(new Encoder().u8(MORE).u32(asked).toBytes());
    }
  }

  /** Divides what was found in one's own, which the peer lacks, and the peer's, to be told. */
  private void take(long[] ids, Decoder in) throws ProofException {
    toTell = new long[ids.length];
    int count = 0;
    for (int i = 0; i < ids.length; i++) {
      if (i > 0 && ids[i] == ids[i - 1]) {
        throw in.malformed("yields the same id twice");
      }
      if (!names.mark(ids[i], lacked)) {
        toTell[count++] = ids[i];
      }
    }
    toTell = Arrays.copyOf(toTell, count);
  }

  private void tellPage(Consumer<byte[]> send) {
    int to = Math.min(toTell.length, told + PAGE);
    ByteBuffer ids = ByteBuffer.allocate(8 * (to - told));
    ids.asLongBuffer().put(toTell, told, to - told);
    boolean last = to == toTell.length;
    Encoder out = new Encoder(6 + ids.capacity());
    out.u8(FOUND).u8(last ? 1 : 0).u32(to - told).raw(ids.array());
    told = to;
    state = last ? State.DONE : State.TELLING;
    send.accept(out.toBytes());
  }

  // ---- Both ------------------------------------------------------------------------------------

  private void goNaive(Consumer<byte[]> send) {
    encoder = null;
    decoder = null;
    if (!initiator) {
      send.accept(new byte[] {NAIVE});
    }
    BitSet all = new BitSet();
    all.set(0, names.size());
    naive = new NaiveReconciler(initiator, names.at(all));
    naive.begin(send);
  }

  @Override
  public boolean done() {
    return naive == null ? state == State.DONE : naive.done();
  }

  @Override
  public List<Hash> lackedByPeer() {
    return naive == null ? names.at(lacked) : naive.lackedByPeer();
  }
}
