package holdfast.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.testkit.Patience;
import holdfast.testkit.Ports;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The folder of a stopped server is mended with what another one has. */
@Timeout(Patience.TEST_SECONDS)
class RepairTest {
  @TempDir Path folder;

  private Node sound;
  private Node other;
  private boolean soundRuns = true;
  private boolean otherRuns = true;
  private Endpoint soundAt;
  private Endpoint otherAt;
  private Cli cli;
  private String key;
  private String capsule;
  private final List<String> records = new ArrayList<>();

  @BeforeEach
  void start() {
    sound = Cli.serve(folder.resolve("sound"));
    other = Cli.serve(data(), Ports.free());
    soundAt = sound.endpoint();
    otherAt = other.endpoint();
    cli = new Cli(folder.resolve("home"), sound);
    key = cli.key("owner");
    capsule = cli.ok("create", "--key", key);
    cli.environment.remove("HOLDFAST_SERVER");
    cli.ok("place", capsule, "--on", sound.endpoint() + "," + other.endpoint(), "--key", key);
    append("first", 300);
  }

  @AfterEach
  void stop() {
    stopSound();
    stopOther();
  }

  private void stopSound() {
    if (soundRuns) {
      sound.close();
      soundRuns = false;
    }
  }

  private void stopOther() {
    if (otherRuns) {
      other.close();
      otherRuns = false;
    }
  }

  private Path data() {
    return folder.resolve("data");
  }

  private void append(String what, int count) {
    String lines = String.join("\n", Collections.nCopies(count, what)) + "\n";
    String[] command = {
      "append", capsule, "--lines", "--batch", "1", "--key", key, "--replicas", "2"
    };
    records.addAll(cli.input(lines, command).failsWith(0).lines());
  }

  private Map<String, Object> last(Cli.Ran ran) {
    @SuppressWarnings("unchecked")
    Map<String, Object> object = (Map<String, Object>) TestJson.parse(ran.lines().getLast());
    return object;
  }

  private void expectAll() throws Exception {
    try (Node again = Cli.serve(data());
        Server server = Server.at(again.endpoint(), again.identity());
        CapsuleReader reader =
            server.openReader(Hash.parse(capsule), List.of(), ReaderOptions.withoutCache())) {
      assertThat(reader.readAll(records.stream().map(Hash::parse).toList()))
          .allMatch(ReadResult.Proven.class::isInstance);
    }
  }

  /** Flips a bit of a file. */
  private static void flip(Path file, long at) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.seek(at);
      int old = out.read();
      out.seek(at);
      out.write(old ^ 16);
    }
  }

  private static List<Path> tables(Path data) throws IOException {
    try (var files = Files.list(data.resolve("db"))) {
      return files.filter(file -> file.toString().endsWith(".sst")).sorted().toList();
    }
  }

  private byte[] sealed(String record) throws Exception {
    try (Server server = Server.at(sound.endpoint(), sound.identity());
        CapsuleReader reader =
            server.openReader(Hash.parse(capsule), List.of(), ReaderOptions.withoutCache())) {
      return ((ReadResult.Proven) reader.read(Hash.parse(record))).record().body().leaf(0);
    }
  }

  private void rot(String record) throws Exception {
    byte[] pattern = Arrays.copyOfRange(sealed(record), 4, 16);
    int found = 0;
    for (Path file : tables(data())) {
      int at =
          new String(Files.readAllBytes(file), ISO_8859_1).indexOf(new String(pattern, ISO_8859_1));
      if (at >= 0) {
        flip(file, at);
        found++;
      }
    }
    assertThat(found).isPositive();
  }

  @Test
  void whatHasRottenIsFetchedFromWhereTheCapsuleIsPlaced() throws Exception {
    stopOther();
    rot(records.get(120));
    cli.run("fsck", "--data", data().toString()).failsWith(3);
    Cli.Ran ran = cli.run("fsck", "--data", data().toString(), "--repair", "--json").failsWith(0);
    assertThat(last(ran))
        .containsEntry("clean", true)
        .containsEntry("rewritten", true)
        .containsEntry("left", 0.0)
        .containsEntry("unasked", List.of());
    assertThat((double) last(ran).get("repaired")).isPositive();
    assertThat(cli.json("fsck", "--data", data().toString())).containsEntry("clean", true);
    // Nothing to do any more, and nothing is done.
    assertThat(last(cli.run("fsck", "--data", data().toString(), "--repair", "--json")))
        .containsEntry("rewritten", false)
        .containsEntry("repaired", 0.0)
        .containsEntry("fetched", 0.0);
    expectAll();
    assertThat(data().resolve("rotten")).doesNotExist();
    try (var kept = Files.list(data())) {
      assertThat(kept.map(file -> String.valueOf(file.getFileName())))
          .as("no copy of what may be erased")
          .noneMatch(name -> name.startsWith("db."));
    }
  }

  private Statement.Placement placement(SigningKey owner, long version, String... addresses) {
    List<Statement.Placement.Member> members = new ArrayList<>();
    for (String address : addresses) {
      VerifyKey identity =
          address.equals(soundAt.toString())
              ? sound.identity()
              : SigningKey.generate(new SecureRandom()).verifyKey();
      members.add(new Statement.Placement.Member(identity, address));
    }
    Statement.Placement draft =
        new Statement.Placement(Hash.parse(capsule), 1, version, members, Bytes.EMPTY);
    return new Statement.Placement(
        draft.capsule(),
        draft.timeMillis(),
        version,
        members,
        Bytes.wrap(owner.sign(Domain.SIGN_PLACE, draft.unsigned())));
  }

  /** The newest names a port that does not exist, and nobody who has the record. */
  @Test
  void inAMoveCopiesComeFromAServerThatTheCapsuleLeaves() throws Exception {
    SigningKey owner = SigningKey.parsePem(Files.readString(Path.of(key)));
    try (Server server = Server.at(other.endpoint(), other.identity())) {
      server.declare(placement(owner, 2, "127.0.0.1:99999", "127.0.0.1:1"));
    }
    stopOther();
    rot(records.get(120));
    // Not everybody could be asked, and so not all may be here.
    Cli.Ran ran = cli.run("fsck", "--data", data().toString(), "--repair", "--json").failsWith(1);
    assertThat(last(ran)).containsEntry("clean", true).containsEntry("left", 0.0);
    assertThat((double) last(ran).get("repaired")).isPositive();
    assertThat((List<?>) last(ran).get("unasked")).hasSize(2);
  }

  @Test
  void whatWasLostIsFetchedFromTheServerNamed() throws Exception {
    stopOther();
    Path before = folder.resolve("before");
    copy(data(), before);
    // On the same port, so that the placement still leads there.
    other = Cli.serve(data(), otherAt.port());
    otherRuns = true;
    append("second", 150);
    cli.ok("erase", capsule, records.get(3), "--reason", "on request", "--key", key);
    stopOther();
    delete(data());
    copy(before, data());
    // Somebody else than the placement names, pinned by whoever asks.
    Cli.Ran ran =
        cli.run(
                "fsck",
                "--data",
                data().toString(),
                "--repair",
                "--json",
                "--from",
                sound.endpoint().toString())
            .failsWith(0);
    assertThat(last(ran)).containsEntry("fetched", 150.0).containsEntry("repaired", 0.0);
    records.remove(3);
    expectAll();
  }

  @Test
  void withoutAnybodyToAskNothingIsMadeUp() throws Exception {
    stopOther();
    stopSound();
    cli.run("fsck", "--data", data().toString(), "--from", "127.0.0.1:1").failsWith(2);
    // All is well here; whether anything is lost cannot be said.
    assertThat(
            last(cli.run("fsck", "--data", data().toString(), "--repair", "--json").failsWith(1)))
        .containsEntry("clean", true)
        .containsEntry("unasked", List.of(soundAt.toString()));
    sound = Cli.serve(folder.resolve("sound"));
    soundRuns = true;
    rot(records.get(120));
    stopSound();
    Cli.Ran ran = cli.run("fsck", "--data", data().toString(), "--repair", "--json").failsWith(3);
    assertThat((double) last(ran).get("left")).isPositive();
    assertThat(last(ran)).containsEntry("repaired", 0.0);
  }

  @Test
  void rotInAnyTableIsMendedOrRefused() throws Exception {
    stopOther();
    Path whole = folder.resolve("whole");
    copy(data(), whole);
    int mended = 0;
    List<String> fates = new ArrayList<>();
    for (Path table : tables(whole)) {
      delete(data());
      copy(whole, data());
      Path file = data().resolve("db").resolve(table.getFileName());
      flip(file, Files.size(file) / 3);
      // The placement may be among what is damaged.
      Cli.Ran ran = repair();
      fates.add(table.getFileName() + ": " + ran.exitCode() + " " + ran.err() + ran.out());
      if (ran.exitCode() == 0) {
        mended++;
        assertThat(last(ran))
            .as(fates.getLast())
            .containsEntry("left", 0.0)
            .containsEntry("rewritten", true);
        assertThat(data().resolve("rotten")).as(fates.getLast()).doesNotExist();
        assertThat(data().resolve("db").resolve(table.getFileName())).doesNotExist();
        expectAll();
      } else {
        assertThat(ran.exitCode()).as(ran.err() + ran.out()).isEqualTo(3);
        assertThat(ran.err()).as(String.join("\n", fates)).contains("cannot open the database");
        // Nothing was changed: the old database is where it was.
        assertThat(data().resolve("db").resolve(table.getFileName())).exists();
      }
    }
    assertThat(mended).as(String.join("\n", fates)).isGreaterThanOrEqualTo(3);
  }

  /**
   * The entry of the capsule, its graph, headers that the graph is derived from, and statements: no
   * single opening mends all of that. What was noted before is worked off with it. The names of
   * lost headers have to be there: without them nobody knows what to ask for.
   */
  @Test
  void rotInTheFirstBlocksOfAllFamiliesButNamesIsMended() throws Exception {
    stopOther();
    List<Path> tables = tables(data());
    assertThat(tables).hasSize(5);
    for (int i : List.of(0, 2, 3, 4)) {
      flip(tables.get(i), 20);
    }
    Files.writeString(data().resolve("rotten"), "graph 1\nend\n");
    Cli.Ran ran = repair();
    assertThat(ran.exitCode()).as(ran.err() + ran.out()).isZero();
    assertThat(ran.out()).contains("is restored");
    assertThat(last(ran)).containsEntry("left", 0.0).containsEntry("rewritten", true);
    assertThat(data().resolve("rotten")).doesNotExist();
    expectAll();
  }

  private Cli.Ran repair() {
    return cli.run(
        "fsck", "--data", data().toString(), "--repair", "--from", soundAt.toString(), "--json");
  }

  @Test
  void aLostEntryOfACapsuleIsAProblemWhereNobodyCanBeAsked() throws Exception {
    stopOther();
    flip(tables(data()).getFirst(), 20);
    Cli.Ran ran = cli.run("fsck", "--data", data().toString(), "--repair", "--json").failsWith(3);
    assertThat(ran.out()).contains("--from").contains("its records are here");
    assertThat(repair().failsWith(0).out()).contains("is restored");
    expectAll();
  }

  private static void copy(Path from, Path to) throws IOException {
    try (var files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
  }

  private static void delete(Path tree) throws IOException {
    try (var files = Files.walk(tree)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
