package holdfast.sync;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A peer that says what it likes is refused with a {@link ProofException}, or makes its own round
 * longer or wrong; nothing else happens. Memory and time are bounded by what the tests allow.
 */
class HostilePeerTest {
  private static final long MILLIS = Long.getLong("holdfast.fuzzMillis", 250);
  private static final long SEED = Long.getLong("holdfast.fuzzSeed", 1);

  private static final SetPair PAIR = SetPair.of(new Gen(1), 150, 60, 40);

  /** Runs with message {@code at} replaced; either side may refuse what comes to it. */
  private static void replay(Way strategy, int at, byte[] altered) {
    Exchange exchange = PAIR.exchange(strategy);
    try {
      exchange.run(n -> n == at ? altered : null);
    } catch (ProofException refused) {
      assertThat(refused.getMessage()).isNotEmpty();
    }
    List<Hash> first = exchange.initiator.lackedByPeer();
    List<Hash> second = exchange.other.lackedByPeer();
    assertThat(PAIR.initiators()).containsAll(first);
    assertThat(PAIR.others()).containsAll(second);
    assertThat(first).doesNotHaveDuplicates();
    assertThat(second).doesNotHaveDuplicates();
  }

  private static List<byte[]> transcript(Way strategy) throws ProofException {
    Exchange exchange = PAIR.exchange(strategy);
    exchange.run();
    return exchange.messages;
  }

  @ParameterizedTest
  @EnumSource
  void aMessageBentAtRandomDoesNoHarm(Way strategy) throws Exception {
    List<byte[]> messages = transcript(strategy);
    Gen gen = new Gen(SEED);
    assertThat(
            Mutator.fuzz(
                SEED,
                MILLIS,
                messages,
                bytes -> replay(strategy, gen.below(messages.size()), bytes)))
        .isPositive();
  }

  @ParameterizedTest
  @EnumSource
  void everyLengthIsChecked(Way strategy) throws Exception {
    List<byte[]> messages = transcript(strategy);
    for (int i = 0; i < messages.size(); i++) {
      int at = i;
      byte[] message = messages.get(i);
      byte[] longer = Arrays.copyOf(message, message.length + 1);
      for (byte[] bad : List.of(longer, Arrays.copyOf(message, message.length - 1), new byte[0])) {
        Exchange exchange = PAIR.exchange(strategy);
        assertThatThrownBy(() -> exchange.run(n -> n == at ? bad : null))
            .as("message %d with %d bytes in place of %d", i, bad.length, message.length)
            .isInstanceOf(ProofException.class);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsTakenAfterTheEnd(Way strategy) throws Exception {
    Exchange exchange = PAIR.exchange(strategy);
    exchange.run();
    for (byte[] message : exchange.messages) {
      assertThatThrownBy(() -> exchange.initiator.receive(message, sent -> {}))
          .isInstanceOf(ProofException.class);
      assertThatThrownBy(() -> exchange.other.receive(message, sent -> {}))
          .isInstanceOf(ProofException.class);
    }
  }

  // ---- Scripts ---------------------------------------------------------------------------------

  private static final class Side {
    final Reconciler reconciler;
    final List<byte[]> sent = new ArrayList<>();

    Side(Way strategy, boolean initiator, int names) {
      Gen gen = new Gen(2);
      reconciler = strategy.side(initiator, gen.hash(), gen.list(names, gen::hash));
      reconciler.begin(sent::add);
    }

    void receive(byte[] message) throws ProofException {
      reconciler.receive(message, sent::add);
    }

    byte[] last() {
      return sent.getLast();
    }
  }

  private static final int FIRST = SketchReconciler.FIRST;

  /** Symbols of noise, for ever: the sketch is given up where all names would have cost as much. */
  @Test
  void aStreamOfNoiseEnds() throws ProofException {
    Gen gen = new Gen(3);
    Side side = new Side(Way.SKETCH, false, 1000);
    side.receive(new Encoder().u8(1).u32(1200).raw(gen.bytes(FIRST * 16)).toBytes());
    int symbols = FIRST;
    while (side.last()[0] == 4) {
      int asked = ByteBuffer.wrap(side.last()).getInt(1);
      side.receive(new Encoder().u8(2).raw(gen.bytes(asked * 16)).toBytes());
      symbols += asked;
    }
    assertThat(symbols).isEqualTo(2400);
    assertThat(side.last()).containsExactly(6);
  }

  @Test
  void askingForSymbolsForEverIsRefused() throws ProofException {
    Side side = new Side(Way.SKETCH, true, 1000);
    byte[] more = new Encoder().u8(4).u32(200).toBytes();
    for (int taken = FIRST; taken + 200 <= 2000; taken += 200) {
      side.receive(more);
    }
    assertThatThrownBy(() -> side.receive(more))
        .hasMessageContaining(
            "holds the number 200 where at most " + (2000 - FIRST) % 200 + " is allowed");
  }

  @Test
  void aLieAboutTheSizeCostsNoMemory() throws ProofException {
    Side side = new Side(Way.SKETCH, false, 10);
    side.receive(new Encoder().u8(1).u32(1 << 20).raw(new byte[FIRST * 16]).toBytes());
    // Symbols that are all zero are those of no names: what the other side has is lacked, it seems.
    assertThat(side.last()).containsExactly(5, 1, 0, 0, 0, 0);
    assertThat(side.reconciler.lackedByPeer()).hasSize(10);
    assertThatThrownBy(() ->
            new Side(Way.SKETCH, false, 10)
                .receive(
                    new Encoder().u8(1).u32((1 << 24) + 1).raw(new byte[FIRST * 16]).toBytes()))
        .isInstanceOf(ProofException.class);
  }

  @Test
  void pagesWithoutNamesAreRefused() {
    Side side = new Side(Way.NAIVE, false, 10);
    assertThatThrownBy(() -> side.receive(new byte[5])).hasMessageContaining("page without names");
  }

  @Test
  void aTreeThatWasNotAskedForIsRefused() throws ProofException {
    Side side = new Side(Way.TREE, false, 10);
    // The other side has few names: below the root there is nothing to be told.
    byte[] root = new Encoder().u8(1).u32(1).u8(0).raw(new byte[8]).u16(0).toBytes();
    byte[] deep = new Encoder().u8(1).u32(1).u8(2).raw(new byte[8]).u16(0).toBytes();
    assertThatThrownBy(() -> new Side(Way.TREE, false, 10).receive(deep))
        .hasMessageContaining("not asked for");
    side.receive(root);
    assertThat(side.reconciler.done()).isTrue();
    assertThat(side.reconciler.lackedByPeer()).hasSize(10);
  }

  @Test
  void aPeerThatKeepsSayingNothingIsRefused() throws ProofException {
    Side tree = new Side(Way.TREE, true, 1000);
    assertThatThrownBy(() -> tree.receive(new byte[5])).hasMessageContaining("nothing to say");
    Side bloom = new Side(Way.BLOOM, false, 1000);
    assertThatThrownBy(() -> bloom.receive(new byte[2])).hasMessageContaining("parts are missing");
  }

  @Test
  void aFilterOfOnesIsRefused() {
    Side side = new Side(Way.BLOOM, false, 1000);
    byte[] ones = new byte[160];
    Arrays.fill(ones, (byte) 0xFF);
    byte[] message = new Encoder().u16(1).u16(0).u8(7).u32(20).raw(ones).toBytes();
    assertThatThrownBy(() -> side.receive(message)).hasMessageContaining("1280 ones in 1280 bits");
  }
}
