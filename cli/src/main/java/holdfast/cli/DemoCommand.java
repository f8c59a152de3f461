package holdfast.cli;

import holdfast.base.ProofException;
import holdfast.capsule.OfflineProof;
import holdfast.client.Replicas;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows in a few seconds what Holdfast does. */
@Command(
    name = "demo",
    description =
        "Shows in a few seconds what Holdfast does, with three servers that are gone afterwards.",
    footerHeading = "%n",
    footer = {
      "A stream of lines goes to three servers. One is killed meanwhile, comes back, and is brought up to",
      "date by the others; a byte on its disk is flipped, and repaired from them; a line is proven.",
      "",
      "Examples:",
      "  holdfast demo",
      "  holdfast demo readings.csv",
      "",
      "JSON: servers, needed, lines, bytes, records, seconds, linesPerSecond, acknowledgements, capsule,",
      "missed, had, healedSeconds, flipped, caught, elsewhere, mendedSeconds, line, text,",
      "proofBytes, proofHeaders, proven"
    })
final class DemoCommand extends BaseCommand {
  private static final int GENERATED_LINES = 50_000;
  private static final int SHOWN = 80;

  @Parameters(arity = "0..1", paramLabel = "FILE", description = "A text file to use as data.")
  @Nullable Path file;

  DemoCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    if (file != null && !Files.isRegularFile(file)) {
      throw Failure.failed("there is no file " + file, "Name a text file, or none.");
    }
    List<byte[]> lines = lines();
    say(
        "1. Three servers start on this machine. A capsule is placed on them; a record counts as kept");
    say("   when two have signed for it.");
    try (DemoServers servers = DemoServers.start(terminal, DemoStory.SERVERS);
        DemoStory story = new DemoStory(servers, lines)) {
      say("   Capsule " + story.capsule());
      return tell(servers, story, lines) ? 0 : Failure.FAILED;
    }
  }

  /** Lets it happen, and says so; whether all went as it is meant to. */
  private boolean tell(DemoServers servers, DemoStory story, List<byte[]> lines) throws Exception {
    Json json = Json.object().put("servers", DemoStory.SERVERS).put("needed", DemoStory.NEEDED);
    int line = story.anyLine();
    byte[] proof;
    boolean repaired;
    try (Replicas replicas = story.place()) {
      write(story, replicas, lines, json);
      heal(story, json);
      repaired = damage(story, replicas, json);
      proof = story.prove(line);
    }
    servers.stop();
    boolean proven = verify(servers, story, proof, line, lines.get(line), json);
    say("");
    say("Next:  ./holdfast up            runs a server here; ./holdfast cluster up, three");
    say("       ./holdfast --help        lists the commands");
    say("       README.md                is a tour of ten minutes");
    if (this.json) {
      terminal.line(json.toString());
    }
    return repaired && proven;
  }

  private void write(DemoStory story, Replicas replicas, List<byte[]> lines, Json json)
      throws ProofException {
    DemoStory.Written written = story.write(replicas);
    long bytes = lines.stream().mapToLong(line -> line.length).sum();
    long rate = Math.round(lines.size() / written.seconds());
    say(
        String.format(
            Locale.ROOT,
            "2. %,d lines (%s) are sealed, signed, sent over TLS and synced to disks: %,d lines/s.",
            lines.size(),
            bytes(bytes),
            rate));
    say(
        String.format(
            Locale.ROOT,
            "   Halfway server 2 is killed (kill -9). The stream goes on: %,d records, %,d receipts.",
            story.recordCount(),
            written.acknowledgements()));
    json.put("lines", lines.size())
        .put("bytes", bytes)
        .put("records", story.recordCount())
        .put("seconds", rounded(written.seconds()))
        .put("linesPerSecond", rate)
        .put("acknowledgements", written.acknowledgements())
        .put("capsule", story.capsule())
        .put("missed", written.missed());
  }

  private void heal(DemoStory story, Json json) throws Exception {
    DemoStory.Healed healed = story.heal();
    say(
        String.format(
            Locale.ROOT,
            "3. Server 2 starts again, with %,d records of %,d. The others bring it what it missed: all is"
                + " there\n   after %.1f s.",
            healed.had(),
            story.recordCount(),
            healed.seconds()));
    json.put("had", healed.had()).put("healedSeconds", rounded(healed.seconds()));
  }

  private boolean damage(DemoStory story, Replicas replicas, Json json) throws Exception {
    DemoStory.Mended mended = story.damage(replicas);
    say(
        String.format(
            Locale.ROOT,
            "4. Server 2 stops, one byte of %s on its disk is flipped, and it starts again.",
            mended.file()));
    say(
        String.format(
            Locale.ROOT,
            "   %s Readers %s it elsewhere.\n   Copies from the others repair it after %.1f s.",
            mended.refused()
                ? "It finds its copy damaged, and does not serve it."
                : "IT DOES NOT NOTICE.",
            mended.elsewhere() ? "get" : "DO NOT GET",
            mended.seconds()));
    json.put("flipped", mended.file())
        .put("caught", mended.refused())
        .put("elsewhere", mended.elsewhere())
        .put("mendedSeconds", rounded(mended.seconds()));
    return mended.refused() && mended.elsewhere();
  }

  private boolean verify(
      DemoServers servers, DemoStory story, byte[] proof, int line, byte[] written, Json json)
      throws IOException, ProofException {
    Path carried = Files.write(servers.folder().resolve("line.proof"), proof);
    OfflineProof verified = OfflineProof.verify(Files.readAllBytes(carried));
    byte[] content = verified.content();
    boolean proven =
        content != null
            && Arrays.equals(content, written)
            && verified.metadata().name().equals(story.capsule());
    String text = content == null ? "" : new String(content, StandardCharsets.UTF_8);
    say(
        String.format(
            Locale.ROOT,
            "5. All servers are stopped. A stranger verifies line %,d from a file of %s:",
            line + 1,
            bytes(proof.length)));
    say(
        String.format(
            Locale.ROOT, "     %s", text.length() > SHOWN ? text.substring(0, SHOWN) + "…" : text));
    say(
        String.format(
            Locale.ROOT, "   %s: written by %s", proven ? "proven" : "NOT PROVEN", story.writer()));
    json.put("line", line + 1)
        .put("text", text)
        .put("proofBytes", proof.length)
        .put("proofHeaders", verified.chainLength())
        .put("proven", proven);
    return proven;
  }

  private static double rounded(double seconds) {
    return Math.round(seconds * 1000) / 1000.0;
  }

  private void say(String text) {
    if (!json) {
      terminal.line(text);
    }
  }

  private List<byte[]> lines() throws IOException, InterruptedException {
    List<byte[]> lines = new ArrayList<>();
    try (InputStream in = file == null ? readings() : Files.newInputStream(file);
        LineSource source = new LineSource(in, 1 << 20)) {
      while (!source.ended()) {
        lines.addAll(source.next(1000));
      }
    }
    if (lines.isEmpty()) {
      throw Failure.failed(file + " is empty", "Name a file with some lines, or none.");
    }
    return lines;
  }

  /** Readings of a few sensors, the same every time. */
  private static InputStream readings() {
    Random random = new Random(7);
    StringBuilder text = new StringBuilder();
    double[] celsius = {4.0, -18.0, 21.0, 65.0};
    long millis = 1_767_225_600_000L;
    for (int i = 0; i < GENERATED_LINES; i++) {
      int sensor = i % celsius.length;
      celsius[sensor] += random.nextGaussian() * 0.05;
      text.append(time(millis + 250L * i)).append(",sensor-").append(sensor + 1).append(',');
      text.append(Math.round(celsius[sensor] * 100) / 100.0).append('\n');
    }
    return new ByteArrayInputStream(text.toString().getBytes(StandardCharsets.UTF_8));
  }
}
