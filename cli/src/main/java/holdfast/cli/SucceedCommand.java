package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.capsule.Freshness;
import holdfast.capsule.Statement;
import holdfast.client.Handover;
import holdfast.client.QuorumFreshness;
import holdfast.client.Replicas;
import holdfast.crypto.SigningKey;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Closes a capsule in favour of another. */
@Command(
    name = "succeed",
    description = "Closes a capsule for good; things go on in another. So writers are replaced.",
    footerHeading = "%n",
    footer = {
      "What the present heads do not include is refused from then on, by servers and by whoever knows",
      "of it. It cannot be taken back.",
      "",
      "Example:",
      "  holdfast succeed 3f2a --to $(holdfast create --key me.pem --writer ed25519:…) --key me.pem",
      "",
      "Of a placed capsule so many servers have to say what is newest that nothing which a majority has",
      "acknowledged is left out though one of them lies: of three, all. --quorum takes fewer, and says how",
      "many may lie. Then all are told; one that takes it brings it to the others.",
      "",
      "JSON: capsule, successor, finalHeads, statement, survives (servers that may lie), acknowledged",
      "(servers), servers (server, identity, acknowledged, reason)"
    })
final class SucceedCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule to close.")
  String capsule = "";

  @Option(
      names = "--to",
      paramLabel = "NEWCAPSULE",
      required = true,
      description = "The capsule in which things go on.")
  String successor = "";

  @Option(
      names = "--quorum",
      paramLabel = "R",
      description =
          "How many servers of a placement have to say what is newest. Default: so many that one may"
              + " lie; the least: that none may.")
  @Nullable Integer quorum;

  @Mixin OwnerKey key = new OwnerKey();

  SucceedCommand(Terminal terminal) {
    super(terminal);
  }

  /** Refuses while the new servers do not hold all that the old ones hold. */
  private static void requireArrived(Target target, Source source, Statement newest)
      throws Exception {
    Set<Statement> known = new HashSet<>(source.ask(reader -> reader.statements(true)));
    known.add(newest);
    if (!Handover.ask(known, 0).over()) {
      throw Failure.failed(
          "capsule "
              + target.capsule().brief()
              + " is still moving to the servers that it was last placed on; what only the old"
              + " ones hold would be refused from then on",
          "Wait for it with 'holdfast place "
              + target.capsule().brief()
              + " --wait'; with --server the word of that one server counts alone.");
    }
  }

  @Override
  @Nullable String next(ErrorCode code) {
    return code == ErrorCode.UNREACHABLE
        ? "Start the servers that do not answer. Those that are gone for good are left by 'holdfast"
            + " place'; --quorum R goes on with R answers, on the word that fewer of them may lie."
        : null;
  }

  /**
   * How many members of a placement have to say what is newest: so many that of k that acknowledged
   * a write, k being a majority, one that is honest is among them though one is not. f = k + r − n
   * − 1 is 1 then, where there are servers enough for that.
   */
  private int wanted(Statement.Placement placement) {
    int members = placement.members().size();
    if (quorum == null) {
      return Math.min(members, members + 2 - placement.majority());
    }
    int least = members + 1 - placement.majority();
    if (quorum < least || quorum > members) {
      throw Failure.usage(
          "--quorum " + quorum + " is out of bounds",
          least
              + " to "
              + members
              + " servers can answer: with fewer, something that a majority acknowledged could be left"
              + " out.");
    }
    return quorum;
  }

  @Override
  int run() throws Exception {
    SigningKey owner = key.read(terminal);
    try (Target target = openNamed(capsule);
        Source source = sourceOfAll(target)) {
      source.ask(reader -> {
        OwnerKey.require(reader, owner);
        return true;
      });
      Hash to = named(successor);
      if (to.equals(target.capsule())) {
        throw Failure.usage("a capsule cannot succeed itself", "Create another one first.");
      }
      Replicas replicas = source.replicas();
      if (replicas != null && replicas.placement().version() > 1) {
        requireArrived(target, source, replicas.placement());
      }
      if (replicas == null && quorum != null && quorum != 1) {
        throw Failure.usage("--quorum " + quorum + " is out of bounds", "One server is asked.");
      }
      QuorumFreshness fresh =
          source.reader().heads(replicas == null ? 0 : wanted(replicas.placement()), 0);
      if (fresh.survives() < 0) {
        throw Failure.failed(
            "something that a majority acknowledged may be missing among the heads; it would be"
                + " refused from then on",
            "Look with 'holdfast place " + target.capsule().brief() + " --status' who is asked.");
      }
      List<Hash> heads = fresh.heads();
      if (heads.size() > Limits.HEADS || fresh.answers().stream().anyMatch(Freshness::moreHeads)) {
        throw Failure.failed(
            "capsule "
                + target.capsule().brief()
                + " has more heads than the "
                + Limits.HEADS
                + " that a succession can name; the others would be refused from then on",
            "Append records until there are fewer: each follows as many heads as it can.");
      }
      Statement.Succession closing =
          Statement.Succession.sign(target.capsule(), System.currentTimeMillis(), heads, to, owner);
      Declared declared = Declared.by(source, target, List.of(closing));
      print(
          declared.add(
              Json.object()
                  .put("capsule", target.capsule())
                  .put("successor", to)
                  .put("finalHeads", closing.finalHeads())
                  .put("statement", closing.name())
                  .put("survives", fresh.survives())),
          "Capsule "
              + target.capsule().brief()
              + " is closed; things go on in "
              + to
              + ". "
              + (replicas == null
                  ? ""
                  : "Nothing that a majority acknowledged is left out, if at most "
                      + fresh.survives()
                      + " of the servers lie. ")
              + declared.text());
    }
    return 0;
  }
}
