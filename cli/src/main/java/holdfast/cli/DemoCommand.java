package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.OfflineProof;
import holdfast.capsule.Opener;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Home;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.store.CapsuleStore;
import holdfast.store.Fsck;
import holdfast.store.StoreOptions;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows in a few seconds what Holdfast does. */
@Command(
    name = "demo",
    description =
        "Shows in a few seconds what Holdfast does, with a server that is gone afterwards.",
    footerHeading = "%n",
    footer = {
      "Examples:",
      "  holdfast demo",
      "  holdfast demo readings.csv",
      "",
      "JSON: lines, bytes, seconds, linesPerSecond, capsule, line, text, proofBytes, proofHeaders,",
      "proven, flipped, caught"
    })
final class DemoCommand extends BaseCommand {
  private static final int GENERATED_LINES = 100_000;
  private static final int LINES_PER_RECORD = 1000;

  @Parameters(arity = "0..1", paramLabel = "FILE", description = "A text file to use as data.")
  @Nullable Path file;

  DemoCommand(Terminal terminal) {
    super(terminal);
  }

  /** What was written, and where a line is in it. */
  private record Written(
      Metadata metadata, List<Hash> records, List<byte[]> lines, long bytes, double seconds) {
    Hash recordOf(int line) {
      return records.get(line / LINES_PER_RECORD);
    }
  }

  @Override
  int run() throws Exception {
    if (file != null && !Files.isRegularFile(file)) {
      throw Failure.failed("there is no file " + file, "Name a text file, or none.");
    }
    try (Throwaway place = Throwaway.make()) {
      say("1. A server starts on this machine, for a moment.");
      Endpoint endpoint = place.start();
      Home home = place.home();
      SigningKey key = SigningKey.generate(new SecureRandom());
      Written written;
      byte[] proof;
      int line;
      try (Server server = Server.at(endpoint, home.trust())) {
        written = write(home, server, key);
        int count = written.lines().size();
        long rate = Math.round(count / written.seconds());
        say(
            String.format(
                Locale.ROOT,
                "2. %,d lines (%s) are sealed, signed, sent over TLS and synced to disk: %,d lines/s.",
                count,
                bytes(written.bytes()),
                rate));
        say("   Capsule " + written.metadata().name());
        line = new Random().nextInt(count);
        proof = prove(home, server, written, line);
      }
      place.stop();
      OfflineProof verified = verify(place.folder().resolve("line.proof"), proof);
      byte[] content = verified.content();
      boolean proven =
          content != null
              && Arrays.equals(content, written.lines().get(line))
              && verified.metadata().name().equals(written.metadata().name());
      String text = content == null ? "" : new String(content, StandardCharsets.UTF_8);
      say(
          String.format(
              Locale.ROOT,
              "3. The server is stopped. A stranger verifies line %,d from a file of %s:",
              line + 1,
              bytes(proof.length)));
      say("     " + (text.length() > 80 ? text.substring(0, 80) + "…" : text));
      say("   " + (proven ? "proven" : "NOT PROVEN") + ": written by " + key.verifyKey());
      Path flipped = flip(place.data());
      List<String> problems = new ArrayList<>();
      Fsck.check(place.data(), StoreOptions.defaults(), problems::add);
      boolean caught = !problems.isEmpty();
      say(
          "4. One bit of "
              + flipped.getFileName()
              + " in the server's data is flipped. fsck says:");
      say("     " + (caught ? brief(problems.getFirst(), place) : "nothing, and it should have"));
      say("");
      say("Next:  ./holdfast up            runs a server here");
      say("       ./holdfast --help        lists the commands");
      say("       README.md                is a tour of ten minutes");
      if (json) {
        terminal.line(
            json(written, proof, verified, line, text)
                .put("proven", proven)
                .put("flipped", flipped.getFileName())
                .put("caught", caught)
                .toString());
      }
      return proven && caught ? 0 : Failure.FAILED;
    }
  }

  private static Json json(
      Written written, byte[] proof, OfflineProof verified, int line, String text) {
    int count = written.lines().size();
    return Json.object()
        .put("lines", count)
        .put("bytes", written.bytes())
        .put("seconds", Math.round(written.seconds() * 1000) / 1000.0)
        .put("linesPerSecond", Math.round(count / written.seconds()))
        .put("capsule", written.metadata().name())
        .put("line", line + 1)
        .put("text", text)
        .put("proofBytes", proof.length)
        .put("proofHeaders", verified.chainLength());
  }

  private void say(String text) {
    if (!json) {
      terminal.line(text);
    }
  }

  private static String brief(String problem, Throwaway place) {
    String text = problem.replace(place.folder().toString(), "…");
    return text.length() > 160 ? text.substring(0, 160) + "…" : text;
  }

  private Written write(Home home, Server server, SigningKey key) throws Exception {
    Metadata metadata =
        CreateCommand.create(
            home, server, key, List.of(new Metadata.Writer(key.verifyKey(), "demo")), "demo");
    ContentKey contentKey = home.contentKeys(metadata.name()).getLast();
    List<byte[]> lines = lines();
    List<Hash> records = new ArrayList<>();
    long bytes = 0;
    long begun = System.nanoTime();
    try (CapsuleWriter writer =
        server.openWriter(
            metadata.name(), key, contentKey, WriterOptions.defaults().withBatchRecords(1))) {
      for (int at = 0; at < lines.size(); at += LINES_PER_RECORD) {
        List<byte[]> leaves = lines.subList(at, Math.min(lines.size(), at + LINES_PER_RECORD));
        records.add(writer.append(leaves));
        for (byte[] leaf : leaves) {
          bytes += leaf.length;
        }
      }
      writer.commitOrThrow();
    }
    double seconds = (System.nanoTime() - begun) / 1e9;
    return new Written(metadata, records, lines, bytes, seconds);
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

  private static byte[] prove(Home home, Server server, Written written, int line)
      throws ProofException {
    Hash capsule = written.metadata().name();
    try (CapsuleReader reader =
        server.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
      var material = reader.proofMaterial(written.recordOf(line), line % LINES_PER_RECORD);
      Opener opener = new Opener(capsule, home.contentKeys(capsule));
      return material.file(opener.recordKey(material.chain().getLast().header()), List.of());
    }
  }

  private static OfflineProof verify(Path to, byte[] proof) throws IOException, ProofException {
    Files.write(to, proof);
    return OfflineProof.verify(Files.readAllBytes(to));
  }

  /** Flips a bit in the middle of the largest file. */
  private static Path flip(Path data) throws IOException {
    Path largest;
    try (Stream<Path> files = Files.walk(CapsuleStore.databaseFolder(data))) {
      largest =
          files
              .filter(one -> one.toString().endsWith(".sst"))
              .max(Comparator.comparingLong(one -> one.toFile().length()))
              .orElseThrow(() -> new IOException("the server has written no table"));
    }
    try (RandomAccessFile in = new RandomAccessFile(largest.toFile(), "rw")) {
      long middle = in.length() / 2;
      in.seek(middle);
      int old = in.read();
      in.seek(middle);
      in.write(old ^ 1);
    }
    return largest;
  }
}
