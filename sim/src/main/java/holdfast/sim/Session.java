package holdfast.sim;

import holdfast.base.Hash;
import holdfast.sync.Effect;
import holdfast.sync.Input;
import holdfast.sync.Marker;
import holdfast.sync.Replica;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An honest server's side of a round: performs what the machine asks for. */
final class Session implements Party {
  private final World world;
  private final Server server;
  private final int peer;
  private final int end;
  private final Connection connection;
  private final Round round;
  private final RoundOptions options;
  private final int life;
  private final boolean honestPeer;
  private int pending;
  private boolean open = true;
  private int repairs;
  private int differences;
  private final Set<Hash> owed = new HashSet<>();
  private @Nullable Effect result;

  /**
   * A side of a round.
   *
   * @param end 0 for the side that opened the connection
   * @param full whether to compare everything, whatever is known of the peer
   */
  Session(
      World world,
      Server server,
      int peer,
      int end,
      Connection connection,
      RoundOptions options,
      boolean full) {
    this.world = world;
    this.server = server;
    this.peer = peer;
    this.end = end;
    this.connection = connection;
    this.options = options;
    this.life = server.life();
    this.honestPeer = peer < world.servers().size();
    Bug bug = world.bug();
    Replica seen =
        bug == Bug.NONE
            ? server.replica()
            : new BentReplica(server.replica(), bug, world.written());
    List<Marker> markers = full && bug != Bug.NEVER_IN_FULL ? List.of() : server.markers(peer);
    Hash salt = bug == Bug.SALT_FIXED ? Hash.ZERO : world.gen().hash();
    round = new Round(seen, end == 0, options, markers, salt);
  }

  @Override
  public void begin() {
    step(new Input.Begin());
  }

  @Override
  public void heard(byte[] message) {
    step(new Input.Received(message));
  }

  @Override
  public void closed() {
    open = false;
  }

  @Override
  public boolean waits() {
    return pending == 0;
  }

  @Override
  public boolean over() {
    return !open || round.over();
  }

  /** How the round ended here; null while it has not. */
  @Nullable Effect result() {
    return result;
  }

  private void step(Input input) {
    if (!open || server.life() != life || !server.up()) {
      open = false;
      return;
    }
    round.step(input, this::perform);
    long held = round.heldBytes();
    if (held > options.stagingBytes() + Round.EARLY_BYTES) {
      throw SimulationFailure.wrong(
          "server " + server.index + ": a round holds " + held + " bytes for its peer");
    }
  }

  private void perform(Effect effect) {
    switch (effect) {
      case Effect.Send send -> send(send.message());
      case Effect.Store store -> store(store);
      case Effect.Finished finished -> {
        world.tally().finished();
        result = finished;
        Marker marker =
            world.bug() == Bug.MARKER_TAKES_IN_MEANWHILE
                ? new Marker(finished.marker().round(), server.replica().entries(), List.of())
                : finished.marker();
        if (world.bug() != Bug.MARKER_BEFORE_CONFIRMATION) {
          server.keep(peer, marker);
        }
      }
      case Effect.Lied lied -> {
        world.tally().lied();
        result = lied;
        if (honestPeer) {
          throw SimulationFailure.wrong(
              "server %d calls server %d a liar, which it is not: %s"
                  .formatted(server.index, peer, lied.evidence().getMessage()));
        }
      }
      case Effect.GaveUp gaveUp -> {
        result = gaveUp;
        if (honestPeer) {
          world.tally().gaveUp();
        }
      }
    }
  }

  private void send(byte[] message) {
    switch (Wire.kind(message)) {
      case Wire.ENDS -> repairs++;
      case Wire.DIFFERENCE -> differences++;
      case Wire.SINCE -> {
        if (world.bug() == Bug.MARKER_BEFORE_CONFIRMATION) {
          keepEarly();
        }
      }
      default -> {}
    }
    if (world.bug() == Bug.ONE_REPAIR_ONLY && repairs + (differences > 0 ? 1 : 0) > 1) {
      connection.leave(end);
      open = false;
      return;
    }
    world.oracle().sent(server, message);
    if (world.undisturbed() && connection.strategy() == Strategy.LU) {
      watchWalk(message);
    }
    connection.send(end, message);
  }

  private void watchWalk(byte[] message) {
    switch (Wire.kind(message)) {
      case Wire.ENDS -> {
        if (repairs == 1) {
          owed.addAll(world.oracle().owed(server, world.servers().get(peer)));
        }
      }
      case Wire.PUSH -> Wire.pushed(message).forEach(record -> owed.remove(record.name()));
      case Wire.PUSH_END -> {
        if (repairs == 1) {
          world.oracle().walked(server, owed);
        }
      }
      default -> {}
    }
  }

  /** What nobody should do: both sides take the round for complete before it is. */
  private void keepEarly() {
    server.keep(peer, new Marker(connection.id(), server.replica().entries(), List.of()));
  }

  private void store(Effect.Store store) {
    if (world.diskRefuses()) {
      pending++;
      world
          .timeline()
          .after(
              1,
              () -> {
                pending--;
                step(new Input.NotStored(store.ticket(), "the disk refuses"));
                connection.look();
              });
      return;
    }
    pending++;
    server.put(
        store.records(),
        store.statements(),
        () -> {
          pending--;
          step(new Input.Stored(store.ticket()));
          connection.look();
        });
  }

  @Override
  public String toString() {
    return "server " + server.index + (over() ? " is over" : " waits for " + peer);
  }
}
