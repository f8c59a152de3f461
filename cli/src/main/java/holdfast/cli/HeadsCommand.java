package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Freshness;
import holdfast.client.QuorumFreshness;
import holdfast.client.Replicas;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Asks what is newest. */
@Command(
    name = "heads",
    description =
        "Prints the newest records: those that nothing follows. The server signs the answer.",
    footerHeading = "%n",
    footer = {
      "Records that no signature proves yet are listed apart, on stderr. Of a capsule that is placed on",
      "several servers as many are asked as make a majority, and how many of them may lie is told.",
      "",
      "Example:",
      "  holdfast heads 3f2a",
      "",
      "JSON: capsule, heads, moreHeads (whether not all are listed), unproven, moreUnproven, records,",
      "time, server, closed, successor, members, survives, answers: server, heads, records, time"
    })
final class HeadsCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--quorum",
      paramLabel = "R",
      defaultValue = "0",
      description = "How many servers have to answer. Default: more than half.")
  int quorum;

  HeadsCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        Source source = source(target)) {
      Replicas replicas = source.replicas();
      int members = replicas == null ? 1 : replicas.servers().size();
      if (quorum < 0 || quorum > members) {
        throw Failure.usage(
            "--quorum " + quorum + " is out of bounds", "1 to " + members + " servers can answer.");
      }
      QuorumFreshness fresh = source.reader().heads(quorum, 0);
      Set<Hash> tips = new LinkedHashSet<>();
      fresh.answers().forEach(answer -> tips.addAll(answer.tips()));
      if (json) {
        json(target, source, fresh, tips);
        return 0;
      }
      fresh.heads().forEach(head -> terminal.line(head.toString()));
      tips.forEach(tip -> terminal.note("not proven yet: " + tip));
      if (more(fresh, Freshness::moreHeads)) {
        terminal.note("there are more heads than the " + fresh.heads().size() + " listed");
      }
      if (more(fresh, Freshness::moreTips)) {
        terminal.note("there are more unproven than the " + tips.size() + " listed");
      }
      if (replicas != null) {
        terminal.note(
            fresh.answers().size()
                + " of "
                + count(source.reader().servers().size(), "server")
                + " answered; "
                + (fresh.survives() < 0
                    ? "a write that a majority acknowledged may be missing"
                    : "no write that a majority acknowledged is missing, if at most "
                        + fresh.survives()
                        + " of them lie"));
      }
      noteIfClosed(source);
    }
    return 0;
  }

  private static boolean more(QuorumFreshness fresh, Predicate<Freshness> leavesOut) {
    return fresh.answers().stream().anyMatch(leavesOut);
  }

  private void json(Target target, Source source, QuorumFreshness fresh, Set<Hash> tips)
      throws ProofException {
    Freshness first = fresh.answers().getFirst();
    Optional<Hash> successor = source.ask(reader -> Optional.ofNullable(successor(reader)));
    terminal.line(
        Json.object()
            .put("capsule", target.capsule())
            .put("heads", fresh.heads())
            .put("moreHeads", more(fresh, Freshness::moreHeads))
            .put("unproven", List.copyOf(tips))
            .put("moreUnproven", more(fresh, Freshness::moreTips))
            .put("records", first.records())
            .put("time", time(first.timeMillis()))
            .put("server", first.server())
            .put("closed", successor.isPresent())
            .put("successor", successor.orElse(null))
            .put("members", source.reader().servers().size())
            .put("survives", fresh.survives())
            .put(
                "answers",
                fresh.answers().stream()
                    .map(one ->
                        Json.object()
                            .put("server", one.server())
                            .put("heads", one.heads())
                            .put("records", one.records())
                            .put("time", time(one.timeMillis())))
                    .toList())
            .toString());
  }
}
