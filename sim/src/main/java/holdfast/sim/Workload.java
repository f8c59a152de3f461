package holdfast.sim;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.List;

/**
 * What writers and the owner do: records reach some servers and not others, late, twice and in any
 * order; signatures come after their records, or never.
 */
final class Workload {
  private static final int LATENESS_MILLIS = 250;

  private final World world;
  private final Gen gen;
  private final int most;
  private final boolean erases;
  private final boolean succeeds;
  private final int[] skew;

  Workload(World world) {
    this.world = world;
    this.gen = world.gen();
    this.most = gen.pick(List.of(3, 12, 25, 45));
    this.erases = gen.oneIn(3);
    this.succeeds = !world.faults().folders() && gen.oneIn(6);
    this.skew = new int[] {gen.between(-500, 500), gen.between(-500, 500)};
  }

  void begin(long end) {
    int pause = Math.max(1, (int) (end / (most + 1)));
    write(pause, most);
    if (erases) {
      for (int count = gen.between(1, 3); count > 0; count--) {
        world.timeline().after(gen.below((int) end), this::erase);
      }
    }
    if (succeeds) {
      world.timeline().after(gen.between((int) end / 2, (int) end), this::succeed);
    }
  }

  private void write(int pause, int left) {
    world
        .timeline()
        .after(
            gen.between(1, 2 * pause),
            () -> {
              if (!world.quiet() && left > 0) {
                for (int burst = gen.oneIn(8) ? 6 : 1; burst > 0; burst--) {
                  writeOne();
                }
                write(pause, left - 1);
              }
            });
  }

  private void writeOne() {
    // A writer's clock is not that of the world, nor that of another writer.
    Record record = world.dag().add(10_000 + world.timeline().now() + gen.pick(skewed()));
    world.written().put(record.name(), record);
    send(List.of(record), List.of());
    for (int signatures = gen.pick(List.of(0, 0, 1, 1, 2)); signatures > 0; signatures--) {
      Statement signature = world.dag().sign(record, gen.below(world.dag().writers()));
      if (gen.oneIn(2)) {
        world.timeline().after(gen.below(600), () -> send(List.of(), List.of(signature)));
      } else {
        send(List.of(record), List.of(signature));
      }
    }
  }

  private List<Integer> skewed() {
    return List.of(skew[0], skew[1]);
  }

  /** Sends to some servers, to none now and then; each gets it in its own time. */
  private void send(List<Record> records, List<? extends Statement> statements) {
    for (Server server : world.servers()) {
      if (gen.oneIn(2)) {
        for (int times = gen.oneIn(10) ? 2 : 1; times > 0; times--) {
          world
              .timeline()
              .after(
                  gen.below(gen.oneIn(3) ? LATENESS_MILLIS : 3),
                  () -> deliver(server, records, statements));
        }
      }
    }
  }

  private void deliver(Server server, List<Record> records, List<? extends Statement> statements) {
    if (server.up() && !world.diskRefuses()) {
      server.put(records, statements, () -> {});
    }
  }

  private void erase() {
    List<Record> records = world.dag().records();
    if (records.isEmpty()) {
      return;
    }
    Record record = gen.pick(records);
    long time = record.header().timeMillis();
    Statement.Erased erased =
        switch (gen.below(3)) {
          case 0 -> new Statement.Erased.OfRecord(record.name());
          case 1 -> new Statement.Erased.OfLeaf(record.name(), 0);
          default -> new Statement.Erased.OfTimes(time - 100, time + 1);
        };
    declare(
        Statement.Erasure.sign(
            world.dag().metadata().name(), time + 1_000, erased, "", world.dag().owner()));
  }

  /** Closes the capsule at records that are signed; their signatures go wherever this goes. */
  private void succeed() {
    List<Statement.WriterSignature> signed =
        gen.some(
            world.dag().signatures().stream()
                .filter(signature -> held(signature.record()))
                .toList(),
            3);
    if (!signed.isEmpty()) {
      declare(
          Statement.Succession.sign(
              world.dag().metadata().name(),
              99_999,
              signed.stream().map(Statement.WriterSignature::record).distinct().toList(),
              Hash.ZERO,
              world.dag().owner()));
    }
  }

  private boolean held(Hash name) {
    return world.servers().stream()
        .anyMatch(server -> {
          long arrival = server.replica().arrivalsOf(List.of(name))[0];
          return arrival >= 0
              && server.durableRecords().contains(name)
              && !server.replica().signaturesOf(arrival).isEmpty()
              && server.settled();
        });
  }

  private void declare(Statement statement) {
    List<Server> told = new ArrayList<>(gen.some(world.servers(), world.servers().size()));
    for (Server server : told) {
      world
          .timeline()
          .after(gen.below(LATENESS_MILLIS), () -> deliver(server, List.of(), List.of(statement)));
    }
  }
}
