package holdfast.bench;

import holdfast.base.Hash;
import holdfast.sync.MemoryReplica;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What it costs to bring two replicas together, by strategy, difference and distance. */
@Command(
    name = "sync",
    description = "Brings two replicas to the same set: bytes, turns and time of each strategy.",
    mixinStandardHelpOptions = true)
final class SyncBench implements Callable<Integer> {
  /** Where the difference lies. */
  enum Shape {
    /** One side lacks the newest records. */
    TAIL,
    /** One side lacks records here and there. */
    HOLES,
    /** One side lacks side branches of 10 records. */
    BRANCHES,
    /** Each side lacks half of it, here and there. */
    BOTH
  }

  private static final int BRANCH = 10;

  @Option(
      names = "--records",
      defaultValue = "100000",
      description = "Records in all (${DEFAULT-VALUE}).")
  int records;

  @Option(
      names = "--value-size",
      split = ",",
      defaultValue = "16",
      description = "Bytes of a value (${DEFAULT-VALUE}).")
  List<Integer> valueSizes = List.of(16);

  @Option(
      names = "--difference",
      split = ",",
      defaultValue = "0,1,10,1000,30000",
      description = "Records by which the sides differ (${DEFAULT-VALUE}).")
  List<Integer> differences = List.of();

  @Option(
      names = "--shape",
      split = ",",
      defaultValue = "tail,holes,branches,both",
      description = "Where the difference lies (${DEFAULT-VALUE}).")
  List<String> shapes = List.of();

  @Option(
      names = "--round-trip",
      split = ",",
      defaultValue = "0,10,100",
      description = "Round-trip times, in ms, made by a proxy (${DEFAULT-VALUE}).")
  List<Integer> roundTrips = List.of();

  @Option(
      names = "--strategy",
      split = ",",
      defaultValue = "adaptive,staged,naive,tree,lu,sketch",
      description = "How differences are found (${DEFAULT-VALUE}).")
  List<String> strategies = List.of();

  @Option(
      names = "--plot",
      paramLabel = "FILE.svg",
      description =
          "Draw the times of the longest round trip over the difference, the first shape.")
  @Nullable Path plot;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  private final Map<String, List<Chart.Point>> drawn = new LinkedHashMap<>();
  private final SecureRandom random = new SecureRandom();

  @Override
  public Integer call() throws Exception {
    for (int valueSize : valueSizes) {
      for (String shape : shapes) {
        for (int difference : differences) {
          History history =
              history(valueSize, Shape.valueOf(shape.toUpperCase(Locale.ROOT)), difference);
          BitSet[] missing =
              missing(history, Shape.valueOf(shape.toUpperCase(Locale.ROOT)), difference);
          if (difference > 0 && difference < history.records.size()) {
            // What is below the difference is proven without it.
            history.sign(history.records.size() - difference - 1);
          }
          measure(history, missing, valueSize, shape, difference, 0, "naive", false);
          for (int roundTrip : roundTrips) {
            for (String strategy : strategies) {
              measure(history, missing, valueSize, shape, difference, roundTrip, strategy, true);
            }
          }
        }
      }
    }
    draw();
    return 0;
  }

  private void draw() throws IOException {
    if (plot != null) {
      Files.writeString(
          plot,
          Chart.lines(
              "Bringing two replicas of "
                  + String.format(Locale.ROOT, "%,d", records)
                  + " records together",
              "records by which they differ (" + shapes.getFirst() + ")",
              "seconds, round trip " + roundTrips.getLast() + " ms",
              drawn));
    }
  }

  private History history(int valueSize, Shape shape, int difference) {
    int trunk = shape == Shape.BRANCHES ? records - difference : records;
    History history = new History(trunk, valueSize, 42);
    if (shape == Shape.BRANCHES) {
      for (int left = difference; left > 0; left -= BRANCH) {
        history.run(List.of(history.any(trunk).name()), Math.min(BRANCH, left));
      }
    }
    return history;
  }

  /** What each of the two sides lacks. */
  private BitSet[] missing(History history, Shape shape, int difference) {
    BitSet first = new BitSet();
    BitSet second = new BitSet();
    int all = history.records.size();
    switch (shape) {
      case TAIL, BRANCHES -> second.set(all - difference, all);
      case HOLES -> second.or(history.some(difference, all));
      case BOTH -> {
        BitSet both = history.some(difference, all);
        for (int at = both.nextSetBit(0), i = 0; at >= 0; at = both.nextSetBit(at + 1), i++) {
          (i % 2 == 0 ? first : second).set(at);
        }
      }
    }
    return new BitSet[] {first, second};
  }

  private void measure(
      History history,
      BitSet[] missing,
      int valueSize,
      String shape,
      int difference,
      int roundTrip,
      String strategy,
      boolean counts)
      throws Exception {
    MemoryReplica first = history.without(missing[0]);
    MemoryReplica second = history.without(missing[1]);
    RoundOptions options =
        RoundOptions.defaults().withStrategy(Strategy.valueOf(strategy.toUpperCase(Locale.ROOT)));
    SyncPair.Result result = SyncPair.run(first, second, options, roundTrip, salt(), salt());
    if (first.graph().provenCount() != second.graph().provenCount()) {
      throw new AssertionError("the two sides differ after a complete round");
    }
    if (!counts) {
      return;
    }
    if (difference > 0
        && shape.equals(shapes.getFirst())
        && valueSize == valueSizes.getFirst()
        && roundTrip == roundTrips.getLast()) {
      drawn
          .computeIfAbsent(strategy, name -> new ArrayList<>())
          .add(new Chart.Point(difference, result.seconds()));
    }
    new Report()
        .put("bench", "sync")
        .put("strategy", strategy)
        .put("records", history.records.size())
        .put("valueSize", valueSize)
        .put("shape", shape)
        .put("difference", difference)
        .put("roundTripMillis", roundTrip)
        .put("seconds", result.seconds())
        .put("turns", result.turns())
        .put("overheadBytes", result.overhead())
        .put("recordBytes", result.first().recordBytesSent() + result.second().recordBytesSent())
        .put("recordsSent", result.first().recordsSent() + result.second().recordsSent())
        .put(
            "conditions",
            "both sides in one process, replicas in memory, one TCP connection through a proxy,"
                + " everything verified, no marker of an earlier round")
        .print(System.out, output.json);
  }

  private Hash salt() {
    byte[] bytes = new byte[Hash.SIZE];
    random.nextBytes(bytes);
    return Hash.of(bytes);
  }
}
