package holdfast.sim;

import holdfast.base.Hash;
import holdfast.sync.Effect;
import holdfast.sync.Input;
import holdfast.sync.Marker;
import holdfast.sync.MemoryReplica;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Runs the two sides of a round against each other, one effect after the other. */
final class Pairing {
  final Side first;
  final Side second;

  /** What happens between two deliveries: writes that go on meanwhile. */
  Runnable between = () -> {};

  /** Whether messages are read while something is still being stored. */
  boolean slowDisks;

  /** What becomes of a message of the first side on its way. */
  Function<byte[], List<byte[]>> tampering = List::of;

  static final class Side {
    final MemoryReplica replica;
    final Round round;
    final ArrayDeque<byte[]> inbox = new ArrayDeque<>();
    final ArrayDeque<Effect.Store> toStore = new ArrayDeque<>();
    final List<Effect> ended = new ArrayList<>();
    int stores;

    Side(MemoryReplica replica, Round round) {
      this.replica = replica;
      this.round = round;
    }

    @Nullable Marker marker() {
      return ended.size() == 1 && ended.getFirst() instanceof Effect.Finished finished
          ? finished.marker()
          : null;
    }
  }

  Pairing(
      MemoryReplica a,
      MemoryReplica b,
      RoundOptions options,
      List<Marker> markersOfA,
      List<Marker> markersOfB,
      Hash saltA,
      Hash saltB) {
    first = new Side(a, new Round(a, true, options, markersOfA, saltA));
    second = new Side(b, new Round(b, false, options, markersOfB, saltB));
  }

  /** Runs until both sides are over or nothing moves any more. */
  Pairing run() {
    first.round.step(new Input.Begin(), effects(first, second));
    second.round.step(new Input.Begin(), effects(second, first));
    for (boolean moving = true; moving; ) {
      boolean one = stepOne(first, second);
      boolean other = stepOne(second, first);
      moving = one || other;
      between.run();
    }
    return this;
  }

  private boolean stepOne(Side side, Side other) {
    Effect.Store store = slowDisks && !side.inbox.isEmpty() ? null : side.toStore.poll();
    if (store != null) {
      side.replica.store(store.records(), store.statements());
      side.round.step(new Input.Stored(store.ticket()), effects(side, other));
      return true;
    }
    byte[] message = side.inbox.poll();
    if (message != null) {
      side.round.step(new Input.Received(message), effects(side, other));
      return true;
    }
    return false;
  }

  private Consumer<Effect> effects(Side side, Side other) {
    return effect -> {
      switch (effect) {
        case Effect.Send send ->
            other.inbox.addAll(
                side == first ? tampering.apply(send.message()) : List.of(send.message()));
        case Effect.Store store -> {
          side.stores++;
          side.toStore.add(store);
        }
        case Effect.Finished finished -> side.ended.add(finished);
        case Effect.Lied lied -> side.ended.add(lied);
        case Effect.GaveUp gaveUp -> side.ended.add(gaveUp);
      }
    };
  }
}
