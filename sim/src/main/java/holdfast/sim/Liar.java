package holdfast.sim;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.sync.Effect;
import holdfast.sync.Input;
import holdfast.sync.MemoryReplica;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A peer that does not keep to the protocol: follows it well enough to be listened to, and bends
 * what it sends.
 */
final class Liar implements Party {
  private static final int MANY = 40;

  /** What a liar does. */
  enum Trick {
    /** Random bytes. */
    GARBAGE,
    /** Messages with bits flipped, cut short, or with numbers that are too large. */
    MUTATES,
    /** Messages twice, in another order, or not at all. */
    SHUFFLES,
    /** Signatures that no writer made. */
    FORGES,
    /** Records of another capsule. */
    FOREIGN,
    /** Bodies that were erased, and bodies that are not there though nobody erased them. */
    UNDEAD,
    /** Says of everything that it has the same. */
    AGREES,
    /** Pushes records that nothing proves, and does not stop. */
    ENDLESS,
    /** The same true signature again and again, of a record that it keeps to itself. */
    REPEATS,
    /** Sends what is well formed and says nothing, to be listened to for ever. */
    DAWDLES,
    /** Says nothing from some message on. */
    SILENT
  }

  private final World world;
  private final Gen gen;
  private final int end;
  private final Connection connection;
  private final Trick trick;
  private final List<byte[]> said = new ArrayList<>();
  private final @Nullable Round round;
  private final MemoryReplica own;
  private final byte[] hidden;
  private int sent;
  private int pushes;
  private boolean echoes;
  private boolean over;

  Liar(World world, int end, Connection connection, RoundOptions options, Trick trick) {
    this.world = world;
    this.gen = world.gen();
    this.end = end;
    this.connection = connection;
    this.trick = trick;
    this.hidden = world.dag().signature(world.dag().stray(), 0).encode();
    this.own = new MemoryReplica(world.dag().metadata());
    own.store(gen.some(world.dag().records(), 100), world.dag().signatures());
    this.round =
        trick == Trick.GARBAGE ? null : new Round(own, end == 0, options, List.of(), gen.hash());
  }

  @Override
  public void begin() {
    if (round == null) {
      garbage();
    } else {
      step(new Input.Begin());
    }
  }

  @Override
  public void heard(byte[] message) {
    if (round == null) {
      garbage();
    } else {
      echoes |= trick == Trick.AGREES && Wire.kind(message) == Wire.SINCE;
      if (echoes) {
        say(message);
        return;
      }
      step(new Input.Received(message));
    }
  }

  @Override
  public void closed() {
    over = true;
  }

  /** A liar may let others wait; nobody counts on it. */
  @Override
  public boolean waits() {
    return false;
  }

  @Override
  public boolean over() {
    return over;
  }

  private void garbage() {
    for (int count = gen.between(1, 3); count > 0; count--) {
      byte[] bytes = gen.bytesUpTo(60);
      if (bytes.length > 0 && gen.oneIn(2)) {
        bytes[0] = (byte) gen.between(1, 15);
      }
      say(bytes);
    }
  }

  private void step(Input input) {
    Round machine = round;
    if (machine == null || over) {
      return;
    }
    List<Effect.Store> stores = new ArrayList<>();
    machine.step(
        input,
        effect -> {
          switch (effect) {
            case Effect.Send send -> bend(send.message());
            case Effect.Store store -> stores.add(store);
            case Effect.Finished finished -> {}
            case Effect.Lied lied -> {}
            case Effect.GaveUp gaveUp -> {}
          }
        });
    for (Effect.Store store : stores) {
      own.store(store.records(), store.statements());
      step(new Input.Stored(store.ticket()));
    }
  }

  private void bend(byte[] message) {
    said.add(message);
    switch (trick) {
      case GARBAGE -> {}
      case MUTATES -> say(gen.oneIn(4) ? Mutator.alter(message, said, gen) : message);
      case SHUFFLES -> {
        switch (gen.below(8)) {
          case 0 -> {}
          case 1 -> {
            say(message);
            say(message);
          }
          case 2 -> {
            say(gen.pick(said));
            say(message);
          }
          default -> say(message);
        }
      }
      case DAWDLES -> {
        switch (Wire.kind(message)) {
          case Wire.STATEMENT_NAMES -> say(Wire.noNames());
          case Wire.PUSH -> {
            say(gen.oneIn(2) ? Wire.push(pushes, List.of(), List.of()) : message);
            pushes++;
          }
          case Wire.PUSH_END ->
              say(gen.oneIn(2) ? Wire.push(pushes, List.of(), List.of()) : message);
          default -> {}
        }
        say(message);
      }
      case FORGES, FOREIGN, UNDEAD, ENDLESS, REPEATS -> {
        pushBefore(message);
        say(message);
      }
      case AGREES -> {
        if (Wire.kind(message) != Wire.SINCE) {
          say(message);
        }
      }
      case SILENT -> {
        if (sent < 6) {
          say(message);
        }
      }
    }
  }

  /** Before the end of the pushes of an honest round come others. */
  private void pushBefore(byte[] message) {
    if (Wire.kind(message) == Wire.PUSH) {
      pushes++;
    }
    if (Wire.kind(message) == Wire.PUSH_END) {
      for (int left = trick == Trick.ENDLESS || trick == Trick.REPEATS ? MANY : 1;
          left > 0;
          left--) {
        say(forged());
      }
    }
  }

  private byte[] forged() {
    Hash capsule = world.dag().metadata().name();
    List<Record> records = new ArrayList<>();
    List<byte[]> signatures = new ArrayList<>();
    switch (trick) {
      case FORGES -> {
        Record record = world.dag().stray();
        records.add(record);
        signatures.add(
            new Statement.WriterSignature(capsule, record.name(), 0, Bytes.wrap(gen.bytes(64)))
                .encode());
      }
      case FOREIGN -> records.add(world.foreign().stray());
      case UNDEAD -> {
        if (!world.dag().records().isEmpty()) {
          Record record = gen.pick(world.dag().records());
          records.add(
              gen.oneIn(2) ? record : new Record(record.header(), Record.State.ERASED, null));
        }
      }
      case REPEATS -> {
        for (int times = 0; times < 5; times++) {
          signatures.add(hidden);
        }
      }
      default -> records.add(world.dag().stray());
    }
    return Wire.push(pushes++, records, signatures);
  }

  private void say(byte[] message) {
    sent++;
    connection.send(end, message);
  }

  @Override
  public String toString() {
    return "a liar that " + trick;
  }
}
