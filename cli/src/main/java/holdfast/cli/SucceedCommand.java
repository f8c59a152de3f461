package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.capsule.Freshness;
import holdfast.capsule.Statement;
import holdfast.client.Handover;
import holdfast.client.QuorumFreshness;
import holdfast.client.Replicas;
import holdfast.crypto.SigningKey;
import java.util.List;
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
      "Of a placed capsule more than half of the servers have to say what is newest, so that nothing they",
      "acknowledged is left out. Then all are told; one that takes it brings it to the others.",
      "",
      "JSON: capsule, successor, finalHeads, statement, acknowledged (servers), servers (server,",
      "identity, acknowledged, reason)"
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

  @Mixin OwnerKey key = new OwnerKey();

  SucceedCommand(Terminal terminal) {
    super(terminal);
  }

  /** Refuses while the new servers do not hold all that the old ones hold. */
  private static void requireArrived(Target target, Source source) throws Exception {
    if (!Handover.ask(source.ask(reader -> reader.statements(true)), 0).over()) {
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
  int run() throws Exception {
    SigningKey owner = key.read(terminal);
    try (Target target = openNamed(capsule);
        Source source = source(target)) {
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
        requireArrived(target, source);
      }
      QuorumFreshness fresh = source.reader().heads(0, 0);
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
                  .put("statement", closing.name())),
          "Capsule "
              + target.capsule().brief()
              + " is closed; things go on in "
              + to
              + ". "
              + declared.text());
    }
    return 0;
  }
}
