package holdfast.sim;

import holdfast.base.Hash;
import holdfast.sync.Strategy;

/**
 * A connection between two parties. Messages of one direction arrive in order or, from some moment
 * on, not at all; each end learns of a break in its own time, and what was under way may still
 * arrive before.
 */
final class Connection {
  private static final long NOTICED_WITHIN_MILLIS = 300;

  private final World world;
  private final int[] place;
  private final Hash id;
  private final Strategy strategy;
  private final Party[] ends = new Party[2];
  private final boolean[] closed = new boolean[2];
  private final long[] lastArrival = new long[2];
  private boolean broken;
  private int underWay;

  /** A connection from one place to another; a party of its own stands at each. */
  Connection(World world, int from, int to, Strategy strategy) {
    this.world = world;
    this.id = world.gen().hash();
    this.strategy = strategy;
    this.place = new int[] {from, to};
  }

  void open(Party first, Party second) {
    ends[0] = first;
    ends[1] = second;
    first.begin();
    second.begin();
  }

  /** Tells connections apart. */
  Hash id() {
    return id;
  }

  /** The strategy of the side that opened the round. */
  Strategy strategy() {
    return strategy;
  }

  /** Sends a message from one end to the other. */
  void send(int from, byte[] message) {
    world.timeline().note(message);
    if (broken || closed[from]) {
      return;
    }
    if (world.drops(place[from], place[1 - from])) {
      snap();
      return;
    }
    long arrival = Math.max(lastArrival[1 - from], world.timeline().now() + world.networkDelay());
    lastArrival[1 - from] = arrival;
    underWay++;
    world
        .timeline()
        .after(
            arrival - world.timeline().now(),
            () -> {
              underWay--;
              if (!closed[1 - from]) {
                ends[1 - from].heard(message);
              }
              look();
            });
  }

  /** Breaks; both ends notice, not at once. */
  void snap() {
    if (!broken) {
      broken = true;
      for (int end = 0; end < 2; end++) {
        int at = end;
        world.timeline().after(world.gen().below((int) NOTICED_WITHIN_MILLIS), () -> close(at));
      }
    }
  }

  /** One end goes away, by a crash or because it will not wait any longer. */
  void leave(int end) {
    closed[end] = true;
    snap();
  }

  private void close(int end) {
    if (!closed[end]) {
      closed[end] = true;
      ends[end].closed();
    }
  }

  /** Two ends that both wait for the other do so for ever. */
  void look() {
    if (!broken
        && underWay == 0
        && !(ends[0].over() && ends[1].over())
        && ends[0].waits()
        && ends[1].waits()) {
      throw SimulationFailure.stuck(
          "the two sides of a round wait for each other: " + ends[0] + ", " + ends[1]);
    }
  }
}
