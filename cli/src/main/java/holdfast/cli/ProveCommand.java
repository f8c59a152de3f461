package holdfast.cli;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Opener;
import holdfast.capsule.Receipt;
import holdfast.capsule.RecordHeader;
import holdfast.client.CapsuleReader;
import holdfast.client.ProofMaterial;
import holdfast.crypto.Secret;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes a proof that needs no server. */
@Command(
    name = "prove",
    description = "Writes a file that proves a record or leaf to anybody, without any server.",
    footerHeading = "%n",
    footer = {
      "The content stays sealed unless --disclose is given, which shows that one record and no other.",
      "",
      "Examples:",
      "  holdfast prove 3f2a 81bc/17 --disclose -o reading.proof",
      "  holdfast verify reading.proof --capsule 3f2a…",
      "",
      "JSON: capsule, record, leaf, file, bytes, headers, disclosed, receipts"
    })
final class ProveCommand extends ServerCommand {
  private static final int MOST_RECEIPTS = 64;

  @Parameters(index = "0", paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Parameters(index = "1", paramLabel = "RECORD[/LEAF]", description = "What to prove.")
  String wanted = "";

  @Option(names = "--disclose", description = "Add the record's key, so that the content is shown.")
  boolean disclose;

  @Option(
      names = "--key",
      paramLabel = "FILE",
      description = "A key to which content was granted, for --disclose.")
  @Nullable String key;

  @Option(
      names = "--receipt",
      paramLabel = "FILE",
      description = "Add the server's receipts for the record, from 'append --receipts'.")
  @Nullable Path receipt;

  @Mixin OutputFile output = new OutputFile();

  ProveCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        Source source = source(target)) {
      Reference reference = source.ask(reader -> reference(reader, wanted));
      List<Receipt.Extract> receipts = receipts(reference.record());
      Proof proof = source.ask(reader -> prove(target, reader, reference, receipts));
      output.write(proof.file().toArray());
      int headers = proof.material().chain().size();
      print(
          Json.object()
              .put("capsule", target.capsule())
              .put("record", reference.record())
              .put("leaf", proof.leaf() < 0 ? null : proof.leaf())
              .put("file", output.path)
              .put("bytes", proof.file().size())
              .put("headers", headers)
              .put("disclosed", disclose)
              .put("receipts", receipts.size()),
          output.path
              + ": "
              + bytes(proof.file().size())
              + ", "
              + headers
              + (headers == 1 ? " header" : " headers"));
    }
    return 0;
  }

  /** What one server has given, complete. */
  private record Proof(ProofMaterial material, int leaf, Bytes file) {}

  private Proof prove(
      Target target, CapsuleReader reader, Reference reference, List<Receipt.Extract> receipts)
      throws ProofException {
    int leaf = reference.leaf();
    if (disclose && leaf < 0) {
      // A record of one leaf is its content; of several, the key alone discloses nothing to show.
      leaf = 0;
      RecordHeader header = reader.proofMaterial(reference.record(), -1).chain().getLast().header();
      if (header.leafCount() > 1) {
        throw Failure.usage(
            "the record has " + header.leafCount() + " leaves; one can be disclosed at a time",
            "Name it: " + wanted + "/0");
      }
    }
    ProofMaterial material = reader.proofMaterial(reference.record(), leaf);
    RecordHeader header = material.chain().getLast().header();
    byte[] file = material.file(disclose ? recordKey(target, reader, header) : null, receipts);
    return new Proof(material, leaf, Bytes.wrap(file));
  }

  private Secret recordKey(Target target, CapsuleReader reader, RecordHeader header)
      throws ProofException {
    Opener opener =
        new Opener(
            target.capsule(), contentKeys(target.home(), reader, keyIfNamed(target.home(), key)));
    if (!opener.canOpen(header)) {
      throw noContentKey(target.capsule());
    }
    return opener.recordKey(header);
  }

  private List<Receipt.Extract> receipts(Hash record) throws IOException, ProofException {
    List<Receipt.Extract> found = new ArrayList<>();
    if (receipt == null) {
      return found;
    }
    for (Receipt.Extract extract : ReceiptFile.read(receipt)) {
      if (extract.entry().name().equals(record) && found.size() < MOST_RECEIPTS) {
        extract.verify();
        found.add(extract);
      }
    }
    if (found.isEmpty()) {
      throw Failure.failed(
          receipt + " holds no receipt for record " + record.brief(),
          "Leave --receipt out, or name the file that was written when it was appended.");
    }
    return found;
  }
}
