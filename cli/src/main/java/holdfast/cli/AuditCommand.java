package holdfast.cli;

import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Evidence;
import holdfast.capsule.Receipt;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Asks servers whether they still have what they signed for. */
@Command(
    name = "audit",
    description = "Asks servers whether they have what they signed for; keeps evidence if not.",
    footerHeading = "%n",
    footer = {
      "Each server is asked with its own receipts, from 'append --receipts'. One that has lost a record",
      "has to sign that; receipt and answer together are evidence that 'verify' explains to anybody.",
      "Receipts of other servers than those asked are left out. A server that cannot be asked is named, and",
      "the others are asked all the same. Exit code 3 when there is evidence, or a server's answer does not",
      "hold; 1 when a server could not be asked. The evidence against a second server is in FILE.2, and so on.",
      "",
      "Example:",
      "  holdfast audit 3f2a --receipt receipts -o lost.evidence",
      "",
      "JSON: capsule, asked, kept, lost, unasked; server, record, file of the first evidence; evidence",
      "(server, record, lost, file), one for each server; silent (server, unasked, reason)"
    })
final class AuditCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--receipt",
      paramLabel = "FILE",
      required = true,
      description = "Receipts, from 'append --receipts'.")
  Path receipts = Path.of("");

  @Mixin OutputFile output = new OutputFile();

  private int asked;
  private int kept;
  private int lost;
  private boolean violated;

  /** The first evidence against each server. */
  private final Map<VerifyKey, Evidence> evidence = new LinkedHashMap<>();

  private final Map<VerifyKey, Integer> losses = new LinkedHashMap<>();
  private final List<Silent> silent = new ArrayList<>();

  /** A server that was not asked about all its receipts. */
  private record Silent(Server server, int unasked, String reason) {}

  AuditCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    List<Receipt.Extract> promised = new ArrayList<>();
    try (Target target = open(capsule);
        Source source = source(target)) {
      for (Receipt.Extract one : ReceiptFile.read(receipts)) {
        one.verify();
        if (one.receipt().capsule().equals(target.capsule())
            && one.receipt().level() == Receipt.Level.SYNCED) {
          promised.add(one);
        }
      }
      Replicas placed = source.replicas();
      List<Server> servers = source.servers(target);
      for (int i = 0; i < servers.size(); i++) {
        VerifyKey expected = placed == null ? null : placed.placement().members().get(i).identity();
        audit(target, servers.get(i), expected, promised);
      }
      report(target, promised.size());
    }
    if (violated || !evidence.isEmpty()) {
      return Failure.VIOLATION;
    }
    return silent.isEmpty() ? 0 : Failure.FAILED;
  }

  /**
   * What one server says, or does not, is no reason not to ask the others.
   *
   * @param expected who it has to be; null when that is not known before it answers
   */
  private void audit(
      Target target, Server server, @Nullable VerifyKey expected, List<Receipt.Extract> promised) {
    List<Receipt.Extract> own = expected == null ? promised : of(expected, promised);
    if (own.isEmpty()) {
      return;
    }
    int before = asked;
    try (CapsuleReader reader =
        server.openReader(target.capsule(), List.of(), ReaderOptions.withoutCache())) {
      own = of(server.identity(), promised);
      for (Receipt.Extract one : own) {
        Optional<Evidence> found = reader.audit(one);
        asked++;
        if (found.isEmpty()) {
          kept++;
        } else {
          lost++;
          losses.merge(server.identity(), 1, Integer::sum);
          evidence.putIfAbsent(server.identity(), found.get());
        }
      }
    } catch (HoldfastException | ProofException e) {
      violated |= e instanceof ProofException;
      silent.add(new Silent(server, own.size() - (asked - before), Failures.account(e).message()));
    }
  }

  private static List<Receipt.Extract> of(VerifyKey server, List<Receipt.Extract> promised) {
    return promised.stream().filter(one -> one.receipt().server().equals(server)).toList();
  }

  /**
   * The evidence against the first server goes where it was asked for, that of others beside it.
   */
  private Path file(int index) {
    return index == 0
        ? output.path
        : output.path.resolveSibling(output.path.getFileName() + "." + (index + 1));
  }

  private void report(Target target, int promised) throws Exception {
    List<Json> written = new ArrayList<>();
    List<String> lines = new ArrayList<>();
    lines.add(count(asked, "receipt") + " asked about: " + kept + " kept, " + lost + " LOST");
    Evidence first = null;
    for (Evidence one : evidence.values()) {
      Path file = file(written.size());
      first = first == null ? one : first;
      OutputFile.write(file, one.encode());
      lines.add(
          file
              + ": evidence against "
              + one.denied().server()
              + " about record "
              + one.denied().record());
      written.add(
          Json.object()
              .put("server", one.denied().server())
              .put("record", one.denied().record())
              .put("lost", losses.get(one.denied().server()))
              .put("file", file));
    }
    List<Json> unasked = new ArrayList<>();
    for (Silent one : silent) {
      lines.add(
          "unasked: "
              + one.server().endpoint()
              + " about "
              + count(one.unasked(), "receipt")
              + ": "
              + one.reason());
      unasked.add(
          Json.object()
              .put("server", one.server().endpoint())
              .put("unasked", one.unasked())
              .put("reason", one.reason()));
    }
    print(
        Json.object()
            .put("capsule", target.capsule())
            .put("asked", asked)
            .put("kept", kept)
            .put("lost", lost)
            .put("unasked", promised - asked)
            .put("server", first == null ? null : first.denied().server())
            .put("record", first == null ? null : first.denied().record())
            .put("file", first == null ? null : output.path)
            .put("evidence", written)
            .put("silent", unasked),
        String.join("\n", lines));
  }
}
