package holdfast.cli;

import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.crypto.SigningKey;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Erases content for good. */
@Command(
    name = "erase",
    description = "Erases content for good, everywhere; that it was there stays provable.",
    footerHeading = "%n",
    footer = {
      "A permanent statement of the owner: the content is never stored, served or copied again. A range",
      "of claimed times also meets records that arrive later. It cannot be taken back.",
      "",
      "Examples:",
      "  holdfast erase 3f2a 81bc/17 --reason 'personal data' --key me.pem",
      "  holdfast erase 3f2a --from 2025-01-01 --to 2025-02-01 --reason retention --key me.pem",
      "",
      "All servers on which the capsule is placed are told; one that takes it brings it to the others.",
      "",
      "JSON: capsule, statement, record, leaf, from, to, reason, time, server (the first that signed),",
      "acknowledged (servers), servers (server, identity, acknowledged, reason)"
    })
final class EraseCommand extends ServerCommand {
  @Parameters(index = "0", paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "RECORD[/LEAF]",
      description = "What to erase.")
  @Nullable String wanted;

  @Option(names = "--from", paramLabel = "T", description = "First claimed time to erase.")
  @Nullable String from;

  @Option(
      names = "--to",
      paramLabel = "T",
      description = "First claimed time to keep; past or now.")
  @Nullable String to;

  @Option(
      names = "--reason",
      paramLabel = "TEXT",
      required = true,
      description = "Why; kept with the statement for everybody to read.")
  String reason = "";

  @Mixin OwnerKey key = new OwnerKey();

  EraseCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    boolean range = from != null || to != null;
    if (range == (wanted != null) || (from == null) != (to == null)) {
      throw Failure.usage(
          "either a record or a range of times is to be named",
          "RECORD, RECORD/LEAF, or --from T --to T.");
    }
    SigningKey owner = key.read(terminal);
    try (Target target = openNamed(capsule);
        Source source = source(target)) {
      long now = System.currentTimeMillis();
      Statement.Erased erased =
          source.ask(reader -> {
            OwnerKey.require(reader, owner);
            return erased(reader);
          });
      Statement.Erasure erasure =
          Statement.Erasure.sign(target.capsule(), now, erased, reason, owner);
      Declared declared = Declared.by(source, target, List.of(erasure));
      print(
          declared.add(json(erasure, declared.first())),
          text(erased) + " erased. " + declared.text());
    }
    return 0;
  }

  private Statement.Erased erased(CapsuleReader reader) throws ProofException {
    if (from != null && to != null) {
      return new Statement.Erased.OfTimes(parseTime(from), parseTime(to));
    }
    Reference reference = reference(reader, String.valueOf(wanted));
    // Proven first, so that nothing is erased by a mistaken name.
    var header = reader.proofMaterial(reference.record(), -1).chain().getLast().header();
    if (reference.leaf() >= header.leafCount()) {
      throw Failure.failed(
          "record " + header.name().brief() + " has no leaf " + reference.leaf(),
          "Its leaves are 0 to " + (header.leafCount() - 1) + ".");
    }
    return reference.hasLeaf()
        ? new Statement.Erased.OfLeaf(reference.record(), reference.leaf())
        : new Statement.Erased.OfRecord(reference.record());
  }

  private static String text(Statement.Erased erased) {
    return switch (erased) {
      case Statement.Erased.OfRecord one -> "Record " + one.record().brief();
      case Statement.Erased.OfLeaf one -> "Leaf " + one.leaf() + " of " + one.record().brief();
      case Statement.Erased.OfTimes times ->
          "Everything from " + time(times.fromMillis()) + " to " + time(times.toMillis());
    };
  }

  private static Json json(Statement.Erasure erasure, Receipt receipt) {
    Json object = Json.object().put("capsule", erasure.capsule()).put("statement", erasure.name());
    switch (erasure.erased()) {
      case Statement.Erased.OfRecord one -> object.put("record", one.record());
      case Statement.Erased.OfLeaf one ->
          object.put("record", one.record()).put("leaf", one.leaf());
      case Statement.Erased.OfTimes times ->
          object.put("from", time(times.fromMillis())).put("to", time(times.toMillis()));
    }
    return object
        .put("reason", erasure.reason())
        .put("time", time(erasure.timeMillis()))
        .put("server", receipt.server());
  }
}
