package holdfast.cli;

import static java.util.stream.Collectors.joining;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Evidence;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Metadata;
import holdfast.capsule.OfflineProof;
import holdfast.capsule.Receipt;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Witness;
import holdfast.client.BundleFile;
import holdfast.crypto.VerifyKey;
import holdfast.edge.ProvenChange;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Verifies a proof or a bundle without any server. */
@Command(
    name = "verify",
    description = "Verifies a proof, a bundle or evidence, every byte of it, without any server.",
    footerHeading = "%n",
    footer = {
      "Says in plain words what is proven and by whose key. Exit code 3 when anything does not hold,",
      "and for evidence that holds: it shows that a server broke its word ('holdfast audit').",
      "Name the capsule you expect: a proof of another capsule can hold just as well.",
      "",
      "Examples:",
      "  holdfast verify reading.proof --capsule 3f2a…",
      "  holdfast verify backup.capsule --capsule 3f2a… --writer ed25519:…",
      "",
      "JSON: kind, ok, capsule, anchored, and of a proof: record, time, writer, signer, authored,",
      "leaf, content (base64), text, receipts; of a bundle: records, leaves, bytes, erased, signatures,",
      "incremental, since (what it goes on from), links;",
      "of both: closed, successor; of evidence: server, record, promised, denied"
    })
final class VerifyCommand extends BaseCommand {
  private static final int LEAST_DIGITS = 16;
  private static final int SHOWN_HEADS = 8;
  private static final long MOST_PROOF_BYTES = 128L << 20;

  @Parameters(paramLabel = "FILE", description = "A .proof, .capsule or .evidence file.")
  Path file = Path.of("");

  @Option(
      names = "--capsule",
      paramLabel = "NAME",
      description = "The capsule it must belong to; at least the first 16 digits of its name.")
  @Nullable String capsule;

  @Option(
      names = "--writer",
      paramLabel = "KEY",
      description = "The key that must have written it; being vouched for is not enough.")
  @Nullable String writer;

  VerifyCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    if (capsule != null && ServerCommand.digits(capsule, "capsule").length() < LEAST_DIGITS) {
      throw Failure.usage(
          "'" + capsule + "' is too short to tell one capsule from another made to look like it",
          "Give at least " + LEAST_DIGITS + " digits; all 64 are best.");
    }
    VerifyKey wanted = writer == null ? null : VerifyKey.parse(writer);
    try {
      byte[] start;
      try (InputStream in = Files.newInputStream(file)) {
        start = in.readNBytes(8);
      }
      if (BundleFile.looksLike(start)) {
        bundle(wanted);
      } else if (Evidence.looksLike(start) && Files.size(file) <= MOST_PROOF_BYTES) {
        evidence(Evidence.verify(Files.readAllBytes(file)));
        return Failure.VIOLATION;
      } else if (OfflineProof.looksLike(start) && Files.size(file) <= MOST_PROOF_BYTES) {
        proof(wanted);
      } else {
        throw new ProofException(
            Violation.MALFORMED, file + " is no proof, bundle or evidence of this version");
      }
      return 0;
    } catch (ProofException e) {
      if (json) {
        terminal.line(
            Json.object()
                .put("ok", false)
                .put("violation", e.violation())
                .put("message", e.getMessage())
                .toString());
      }
      throw e;
    }
  }

  private void requireCapsule(Hash name) throws ProofException {
    if (capsule != null && !name.toString().startsWith(capsule.toLowerCase(Locale.ROOT))) {
      throw new ProofException(
          Violation.WRONG_CAPSULE, "it belongs to capsule " + name + ", not to " + capsule);
    }
  }

  private String anchor(Hash name) {
    return capsule == null
        ? "Consistent with capsule " + name + "; compare the name with the one you were given."
        : "Capsule " + name + (capsule.length() < 64 ? " (begins as asked)." : ", as asked.");
  }

  private Json common(String kind, Hash name, @Nullable FinalHeads closing) {
    return Json.object()
        .put("kind", kind)
        .put("ok", true)
        .put("capsule", name)
        .put("anchored", capsule != null)
        .put("closed", closing != null)
        .put("successor", closing == null ? null : closing.successor());
  }

  private static String closed(FinalHeads closing) {
    return "The owner closed the capsule with what is shown here; it continues in capsule "
        + closing.successor()
        + ".";
  }

  // ---- Proofs -----------------------------------------------------------------------------------

  private void proof(@Nullable VerifyKey wanted) throws Exception {
    OfflineProof proof = OfflineProof.verify(Files.readAllBytes(file));
    Metadata metadata = proof.metadata();
    requireCapsule(metadata.name());
    RecordHeader header = proof.header();
    VerifyKey signer = metadata.writerKey(proof.voucher().signer());
    boolean authored = proof.voucher().authored();
    if (wanted != null && !(authored && signer.equals(wanted))) {
      throw new ProofException(
          Violation.WRONG_WRITER,
          authored
              ? "it was written by " + signer + ", not by " + wanted
              : "it is not shown to be written by "
                  + wanted
                  + ": the proof ends in the signature of "
                  + signer
                  + ", who vouches for it");
    }
    OfflineProof.Leaf leaf = proof.leaf();
    byte[] content = proof.content();
    Optional<ProvenChange> change =
        content == null || leaf == null ? Optional.empty() : ProvenChange.of(metadata, content);
    if (json) {
      terminal.line(
          common("proof", metadata.name(), proof.closing())
              .put("record", header.name())
              .put("time", time(header.timeMillis()))
              .put("writer", metadata.writerKey(header.writer()))
              .put("signer", signer)
              .put("authored", authored)
              .put("leaf", leaf == null ? null : leaf.index())
              .put("content", content == null ? null : Base64.getEncoder().encodeToString(content))
              .put("text", content == null ? null : ReadCommand.text(content))
              .put("change", change.map(ChangeReport::json).orElse(null))
              .put("receipts", proof.receipts().stream().map(VerifyCommand::receiptJson).toList())
              .toString());
      return;
    }
    terminal.line("Verified: " + what(proof) + ".");
    terminal.line(anchor(metadata.name()));
    terminal.line(
        authored
            ? "Written by " + signer + ", whose signature covers it."
            : "Vouched for by "
                + signer
                + ". It claims to be written by "
                + metadata.writerKey(header.writer())
                + ", which this proof does not show.");
    FinalHeads closing = proof.closing();
    if (closing != null) {
      terminal.line(closed(closing));
    }
    terminal.line("Claimed time " + time(header.timeMillis()) + ".");
    for (Receipt.Extract extract : proof.receipts()) {
      Receipt receipt = extract.receipt();
      terminal.line(
          "Receipt of server "
              + receipt.server()
              + ": "
              + receipt.level().name().toLowerCase(Locale.ROOT)
              + " at "
              + time(receipt.timeMillis())
              + ".");
    }
    if (change.isPresent()) {
      ChangeReport.print(change.get(), terminal);
    } else if (content != null) {
      terminal.line("Content, " + content.length + " bytes:");
      terminal.content(content);
      terminal.line("");
    } else if (leaf != null) {
      terminal.line("The content is sealed (" + leaf.sealed().size() + " bytes).");
    }
  }

  private static String what(OfflineProof proof) {
    OfflineProof.Leaf leaf = proof.leaf();
    String record = "record " + proof.header().name();
    return leaf == null
        ? record
        : "leaf " + leaf.index() + " of " + proof.header().leafCount() + " in " + record;
  }

  private static Json receiptJson(Receipt.Extract extract) {
    return Json.object()
        .put("server", extract.receipt().server())
        .put("level", extract.receipt().level().name().toLowerCase(Locale.ROOT))
        .put("time", time(extract.receipt().timeMillis()));
  }

  // ---- Evidence ---------------------------------------------------------------------------------

  private void evidence(Evidence evidence) throws ProofException {
    Receipt receipt = evidence.promised().receipt();
    Hash record = evidence.denied().record();
    requireCapsule(receipt.capsule());
    print(
        common("evidence", receipt.capsule(), null)
            .put("server", receipt.server())
            .put("record", record)
            .put("promised", time(receipt.timeMillis()))
            .put("denied", time(evidence.denied().timeMillis())),
        "Verified evidence against server "
            + receipt.server()
            + ".\nIt signed that record "
            + record
            + " is durable there (synced at "
            + time(receipt.timeMillis())
            + ").\nAsked about it with that very receipt, it signed that it does not have the record"
            + " (at "
            + time(evidence.denied().timeMillis())
            + ").\nBoth signatures hold: it has lost the record, or lies. Which capsule that is, and"
            + " whose server, the names tell:\n"
            + anchor(receipt.capsule()));
  }

  // ---- Bundles ----------------------------------------------------------------------------------

  private void bundle(@Nullable VerifyKey wanted) throws Exception {
    BundleFile bundle = BundleFile.verify(file);
    Metadata metadata = bundle.head().metadata();
    requireCapsule(metadata.name());
    var contents = bundle.contents();
    RecordGraph graph = contents.graph();
    long authored = 0;
    for (long arrival = 0; arrival < graph.size(); arrival++) {
      if (contents.isLink(arrival)) {
        continue;
      }
      Witness witness = graph.witness(arrival);
      authored += witness.authored() ? 1 : 0;
      boolean byWanted =
          wanted == null
              || (witness.authored() && metadata.writerKey(graph.writer(arrival)).equals(wanted));
      if (!byWanted) {
        throw new ProofException(
            Violation.WRONG_WRITER,
            "record number " + arrival + " is not shown to be written by " + wanted);
      }
    }
    Json object =
        common("bundle", metadata.name(), contents.closing())
            .put("incremental", bundle.head().incremental())
            .put("since", bundle.head().base().stream().map(Hash::toString).toList())
            .put("links", contents.links())
            .put("records", contents.records())
            .put("authored", authored)
            .put("leaves", contents.leaves())
            .put("bytes", contents.sealedBytes())
            .put("erased", contents.erased())
            .put("signatures", contents.signatures())
            .put("statements", bundle.statements().size())
            .put("owner", metadata.owner());
    print(
        object,
        "Verified: "
            + count(contents.records(), "record")
            + " with "
            + count(contents.leaves(), "leaf", "leaves")
            + ", "
            + bytes(contents.sealedBytes())
            + " sealed; all proven by "
            + count(contents.signatures(), "signature")
            + " of authorised writers.\n"
            + anchor(metadata.name())
            + "\n"
            + (bundle.head().incremental() ? increment(bundle) + "\n" : "")
            + (authored == 1
                ? "1 record is shown to be by the writer it names"
                : authored + " records are shown to be by the writer they name")
            + (authored == contents.records() ? "." : "; for the others another writer vouches.")
            + (contents.erased() == 0
                ? ""
                : "\n"
                    + contents.erased()
                    + (contents.erased() == 1 ? " body was" : " bodies were")
                    + " erased, wholly or partly, by the owner.")
            + (contents.closing() == null ? "" : "\n" + closed(contents.closing())));
  }

  private static String increment(BundleFile bundle) {
    List<Hash> base = bundle.head().base();
    return "Incremental: it holds only what came after "
        + (base.size() == 1 ? "record " : base.size() + " records, ")
        + base.stream().limit(SHOWN_HEADS).map(Hash::toString).collect(joining(", "))
        + (base.size() > SHOWN_HEADS ? ", …" : "")
        + ".\nWhat lies below these is not in it, and it does not show that anybody has it.";
  }
}
