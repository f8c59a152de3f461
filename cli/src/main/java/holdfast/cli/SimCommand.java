package holdfast.cli;

import holdfast.sim.Bug;
import holdfast.sim.Outcome;
import holdfast.sim.Simulation;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Runs replication in simulated worlds. */
@Command(
    name = "sim",
    description = "Runs replication in simulated worlds, in which everything goes wrong.",
    footerHeading = "%n",
    footer = {
      "The same seed is the same world. Ends at the first one that does not end well, and prints the",
      "command that repeats it. Exit codes: 0 all ended well, 1 the code under test crashed,",
      "3 a promise was broken, 4 something did not come to its end.",
      "",
      "Examples:",
      "  holdfast sim                        a hundred worlds that nobody has seen before",
      "  holdfast sim --seed 0 --runs 2000   the worlds that the build runs",
      "  holdfast sim --seed 17              one world again",
      "  holdfast sim --seed 0 --runs 400 --bug MARKERS_SHARED   is this mistake found?",
      "",
      "JSON: of the one that did not end well seed, bug, kind, message, replay; then first, runs,",
      "well, events, rounds, finished, gaveUp, liarsFound, trace (of the last world)"
    })
final class SimCommand extends BaseCommand {
  private static final int NO_PROGRESS = 4;
  private static final long UNSEEN_RUNS = 100;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "The first world. Default: one that the clock chooses.")
  @Nullable Long seed;

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "How many worlds, one seed after the other. Default: 1 with --seed, else 100.")
  @Nullable Long runs;

  @Option(
      names = "--bug",
      paramLabel = "NAME",
      description = "A mistake to make on purpose: ${COMPLETION-CANDIDATES}.")
  Bug bug = Bug.NONE;

  SimCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() {
    long first = seed == null ? System.currentTimeMillis() : seed;
    long count = runs != null ? runs : seed == null ? UNSEEN_RUNS : 1;
    if (count < 1) {
      throw Failure.usage("--runs " + count + " runs nothing", "Give a number of 1 or more.");
    }
    long done = 0;
    long events = 0;
    long rounds = 0;
    long finished = 0;
    long gaveUp = 0;
    long liarsFound = 0;
    long trace = 0;
    Outcome bad = null;
    try (Progress progress = new Progress(terminal, "of " + count + " worlds")) {
      for (; done < count && bad == null; done++) {
        Outcome outcome = Simulation.run(first + done, bug);
        events += outcome.events();
        rounds += outcome.rounds();
        finished += outcome.finished();
        gaveUp += outcome.gaveUp();
        liarsFound += outcome.liarsFound();
        trace = outcome.trace();
        bad = outcome.well() ? null : outcome;
        progress.at(done + 1);
      }
    }
    if (bad != null) {
      tell(bad);
    }
    print(
        Json.object()
            .put("first", first)
            .put("runs", done)
            .put("well", bad == null)
            .put("events", events)
            .put("rounds", rounds)
            .put("finished", finished)
            .put("gaveUp", gaveUp)
            .put("liarsFound", liarsFound)
            .put("trace", Long.toHexString(trace)),
        "%d worlds from seed %d: %s; %d rounds, %d events"
            .formatted(done, first, bad == null ? "all is well" : bad.kind(), rounds, events));
    return bad == null ? 0 : exitCode(bad.kind());
  }

  private void tell(Outcome bad) {
    print(
        Json.object()
            .put("seed", bad.seed())
            .put("bug", bad.bug())
            .put("kind", bad.kind())
            .put("message", bad.message())
            .put("replay", bad.replay()),
        bad.kind() + ": " + bad.message() + "\n  repeat it with: " + bad.replay());
    if (bad.cause() != null) {
      StringWriter trace = new StringWriter();
      bad.cause().printStackTrace(new PrintWriter(trace, true));
      terminal.note(trace.toString().stripTrailing());
    }
  }

  private static int exitCode(Outcome.Kind kind) {
    return switch (kind) {
      case WELL -> 0;
      case CRASH -> Failure.FAILED;
      case WRONG -> Failure.VIOLATION;
      case STUCK -> NO_PROGRESS;
    };
  }
}
