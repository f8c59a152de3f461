package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.client.Home;
import holdfast.client.Server;
import holdfast.node.Node;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every verb does what its help says, against one server. */
class CommandsTest {
  @TempDir static Path folder;
  private static Node server;
  private static Cli cli;
  private static String key;

  @BeforeAll
  static void start() {
    server = Cli.serve(folder.resolve("data"));
    cli = new Cli(folder.resolve("home"), server);
    key = cli.key("owner");
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String create() {
    String name = cli.ok("create", "--key", key);
    assertThat(name).matches("[0-9a-f]{64}");
    return name;
  }

  private static List<String> append(String capsule, String input, String... more) {
    List<String> args = new ArrayList<>(List.of("append", capsule, "--key", key));
    args.addAll(List.of(more));
    return cli.input(input, args.toArray(String[]::new)).failsWith(0).lines();
  }

  @Test
  void linesAreLeavesAndComeBack() {
    String capsule = create();
    List<String> records =
        append(capsule, "one\ntwo\nthree\nfour\nfive", "--lines", "--batch", "2");
    assertThat(records).hasSize(3).allMatch(name -> name.matches("[0-9a-f]{64}"));
    assertThat(cli.run("read", capsule, records.get(0)).out()).isEqualTo("one\ntwo\n");
    assertThat(cli.run("read", capsule, records.get(1) + "/1").out()).isEqualTo("four");
    assertThat(cli.run("read", capsule, records.get(2)).out()).isEqualTo("five");
    // The beginning of a name will do, of capsules and of records.
    assertThat(
            cli.run("read", capsule.substring(0, 12), records.get(0).substring(0, 12) + "/0").out())
        .isEqualTo("one");
    assertThat(cli.ok("heads", capsule)).isEqualTo(records.get(2));
    cli.run("read", capsule, records.get(0) + "/2").failsWith(1);
    cli.run("read", capsule, "zz").failsWith(2);
    cli.run("read", "0123456789", "00").failsWith(1);
    Map<String, Object> read = cli.json("read", capsule, records.get(0) + "/1");
    assertThat(read).containsEntry("text", "two").containsEntry("authored", true);
  }

  @Test
  void aServerCompletesNoNameToWriteUnder() {
    String capsule = create();
    String record = append(capsule.substring(0, 12), "mine").getFirst();
    String other = create();
    Cli elsewhere = new Cli(folder.resolve("unknowing"), server);
    String sixteen = capsule.substring(0, 16);
    Cli.Ran tooShort =
        elsewhere.run("read", capsule.substring(0, 15), record, "--key", key).failsWith(1);
    assertThat(tooShort.err()).contains("no capsule known here", "at least 16 digits");
    // Reading may be helped, says so, and leaves nothing behind that counts as known.
    Cli.Ran read = elsewhere.run("read", sixteen, record, "--key", key).failsWith(0);
    assertThat(read.out()).isEqualTo("mine");
    assertThat(read.err()).contains(capsule);
    for (String verb : List.of("log", "heads", "status")) {
      assertThat(elsewhere.run(verb, sixteen).failsWith(0).err()).contains(capsule);
    }
    String almost = capsule.substring(0, 63);
    for (List<String> args :
        List.of(
            List.of("append", almost),
            List.of("grant", almost, "--new-epoch"),
            List.of("erase", almost, record, "--reason", "x"),
            List.of("succeed", almost, "--to", other),
            List.of("succeed", other, "--to", almost))) {
      List<String> all = new ArrayList<>(args);
      all.addAll(List.of("--key", key));
      assertThat(elsewhere.input("theirs", all.toArray(String[]::new)).failsWith(1).err())
          .contains("no capsule known here", "all 64 digits");
    }
    assertThat(cli.ok("heads", capsule)).isEqualTo(record);
    // Named in full it is known from then on.
    elsewhere.input("more", "append", capsule, "--key", key).failsWith(0);
    elsewhere.input("more", "append", almost, "--key", key).failsWith(0);
  }

  @Test
  void bytesComeBackExactlyWhateverTheirSize() throws Exception {
    String capsule = create();
    for (int size : new int[] {0, 1, 5 << 20, (9 << 20) + 3}) {
      byte[] bytes = new byte[size];
      new Random(size).nextBytes(bytes);
      Path file = folder.resolve("input-" + size);
      Files.write(file, bytes);
      List<String> args = new ArrayList<>(List.of("read", capsule));
      args.addAll(cli.run("append", capsule, file.toString(), "--key", key).failsWith(0).lines());
      byte[] back = cli.run(args.toArray(String[]::new)).failsWith(0).bytes().toArray();
      assertThat(Arrays.equals(back, bytes)).as("%s bytes", size).isTrue();
    }
  }

  @Test
  void appendObeysItsFlags() throws Exception {
    String capsule = create();
    for (String sign : List.of("each", "batch", "end")) {
      append(capsule, "a\nb\nc\n", "--lines", "--batch", "1", "--sign", sign, "--ack", "received");
    }
    assertThat(cli.run("log", capsule, "--json").failsWith(0).lines()).hasSize(9);
    Path receipts = folder.resolve("receipts");
    String record = append(capsule, "x", "--receipts", receipts.toString()).getFirst();
    Path proof = folder.resolve("with-receipt.proof");
    cli.ok("prove", capsule, record, "--receipt", receipts.toString(), "-o", proof.toString());
    assertThat(cli.ok("verify", proof.toString())).contains("Receipt of server", "synced");
    cli.run("append", capsule, "--key", key, "--sign", "never").failsWith(2);
    cli.run("append", capsule).failsWith(2);
    cli.run("append", capsule, "--key", folder.resolve("none").toString()).failsWith(1);
    String stranger = cli.key("stranger-" + System.nanoTime());
    cli.input("x", "append", capsule, "--key", stranger).failsWith(1);
  }

  @Test
  void logDrawsBranchesAndMerges() throws Exception {
    String capsule = create();
    append(capsule, "root");
    // Two writers that begin at the same head make a branch, the next one a merge.
    appendWhenOpen(capsule, "left\n", () -> append(capsule, "right"));
    assertThat(cli.ok("heads", capsule).lines()).hasSize(2);
    append(capsule, "merge");
    assertThat(cli.ok("heads", capsule).lines()).hasSize(1);
    Cli.Ran log = cli.run("log", capsule).failsWith(0);
    assertThat(log.lines().stream().filter(line -> line.contains("*"))).hasSize(4);
    assertThat(log.out()).contains("signed").doesNotContain("UNPROVEN");
    assertThat(log.lines().get(1)).isEqualTo("|\\");
    assertThat(log.lines()).contains("|/");
    assertThat(cli.json("log", capsule, "-n", "1")).containsEntry("proven", true);
    assertThat(cli.ok("log", capsule, "--from", "2001-01-01", "--to", "2001-01-02")).isEmpty();
    assertThat(cli.ok("log", capsule, "--from", "2001-01-01")).contains("*");
  }

  /** Appends what is read only after the writer has been opened, and something else was done. */
  private static void appendWhenOpen(String capsule, String text, Runnable meanwhile) {
    AtomicBoolean done = new AtomicBoolean();
    java.io.InputStream waiting =
        new java.io.ByteArrayInputStream(text.getBytes(UTF_8)) {
          @Override
          public synchronized int read(byte[] to, int offset, int length) {
            if (done.compareAndSet(false, true)) {
              meanwhile.run();
            }
            return super.read(to, offset, length);
          }
        };
    Terminal terminal =
        new Terminal(
            new java.io.ByteArrayOutputStream(),
            new java.io.ByteArrayOutputStream(),
            waiting,
            cli.environment,
            false,
            false);
    assertThat(Main.run(terminal, "append", capsule, "--lines", "--key", key)).isZero();
    assertThat(done).isTrue();
  }

  @Test
  void graphOfABranch() {
    var graph = new GraphLines();
    var hashes = java.util.stream.IntStream.range(0, 4).mapToObj(CommandsTest::hash).toList();
    List<String> drawn = new ArrayList<>();
    int[][] parents = {{1, 2}, {3}, {3}, {}};
    for (int i = 0; i < 4; i++) {
      var next =
          graph.next(hashes.get(i), Arrays.stream(parents[i]).mapToObj(hashes::get).toList());
      drawn.add(next.beside().stripTrailing());
      drawn.addAll(next.below());
    }
    assertThat(drawn).containsExactly("*", "|\\", "* |", "| *", "|/", "*");
  }

  private static Hash hash(int number) {
    return Hash.parse(String.format("%064x", number + 1));
  }

  @Test
  void anErasedRecordSaysSo() {
    String capsule = create();
    String record = append(capsule, "keep\nsecret\n", "--lines").getFirst();
    cli.run("erase", capsule, record, "--reason", "x").failsWith(2);
    cli.run("erase", capsule, "--from", "2001-01-01", "--reason", "x", "--key", key).failsWith(2);
    cli.ok("erase", capsule, record + "/1", "--reason", "personal data", "--key", key);
    assertThat(cli.ok("read", capsule, record + "/0")).isEqualTo("keep");
    Cli.Ran gone = cli.run("read", capsule, record + "/1").failsWith(1);
    assertThat(gone.err()).contains("was erased by ed25519:", " on 20", "(personal data)");
    // That it was written can still be proven.
    String proof = folder.resolve("erased.proof").toString();
    cli.ok("prove", capsule, record, "-o", proof);
    cli.ok("verify", proof, "--capsule", capsule);
    cli.ok(
        "erase",
        capsule,
        "--from",
        "2001-01-01",
        "--to",
        java.time.Instant.now().toString(),
        "--reason",
        "retention",
        "--key",
        key);
    cli.run("read", capsule, record + "/0").failsWith(1);
    assertThat(cli.ok("log", capsule)).contains("erased");
  }

  @Test
  void grantsAndNewEpochs() throws Exception {
    String capsule = create();
    String before = append(capsule, "before").getFirst();
    Cli friend = new Cli(folder.resolve("friend"), server);
    String friendKey = friend.key("reader");
    Cli.Ran refused = friend.run("read", capsule, before, "--key", friendKey).failsWith(1);
    assertThat(refused.err()).contains("epoch 0", "holdfast grant");
    String reader = (String) friend.json("key", "show", friendKey).get("readerKey");
    cli.ok("grant", capsule, "--to", reader, "--key", key);
    assertThat(friend.ok("read", capsule, before, "--key", friendKey)).isEqualTo("before");
    // Kept: the next time no key is named.
    assertThat(friend.ok("read", capsule, before)).isEqualTo("before");

    assertThat(cli.json("grant", capsule, "--new-epoch", "--key", key))
        .containsEntry("newEpoch", 1.0);
    String after = append(capsule, "after").getFirst();
    assertThat(cli.ok("read", capsule, after)).isEqualTo("after");
    friend.run("read", capsule, after, "--key", friendKey).failsWith(1);
    cli.run("grant", capsule, "--to", reader, "--key", friendKey).failsWith(1);

    // A lost home: the owner's key file is enough.
    Cli elsewhere = new Cli(folder.resolve("elsewhere"), server);
    assertThat(elsewhere.ok("read", capsule, after, "--key", key)).isEqualTo("after");
  }

  @Test
  void watchPrintsWhatArrives() {
    String capsule = create();
    List<String> records = append(capsule, "a\nb\nc\n", "--lines", "--batch", "1");
    Cli.Ran watched = cli.run("watch", capsule, "--from", "0", "-n", "3", "--json").failsWith(0);
    assertThat(watched.lines()).hasSize(3);
    for (int i = 0; i < 3; i++) {
      assertThat(watched.lines().get(i)).contains(records.get(i));
    }
  }

  @Test
  void aClosedCapsuleNamesItsSuccessor() {
    String old = create();
    String record = append(old, "last").getFirst();
    String successor = create();
    cli.ok("succeed", old, "--to", successor, "--key", key);
    Cli.Ran refused = cli.input("more", "append", old, "--key", key).failsWith(1);
    assertThat(refused.err()).contains("status");
    assertThat(cli.json("status", old))
        .containsEntry("closed", true)
        .containsEntry("successor", successor);
    cli.run("succeed", old, "--to", old, "--key", key).failsWith(2);
    String closed = "closed by its owner; continues in capsule " + successor;
    assertThat(cli.ok("status", old)).contains("Closed    continues in capsule " + successor);
    for (List<String> command :
        List.of(List.of("heads", old), List.of("log", old), List.of("read", old, record))) {
      assertThat(cli.run(command.toArray(new String[0])).failsWith(0).err()).contains(closed);
    }
    assertThat(cli.json("heads", old)).containsEntry("successor", successor);
    String proof = folder.resolve("closed.proof").toString();
    String bundle = folder.resolve("closed.capsule").toString();
    cli.ok("prove", old, record, "-o", proof);
    cli.ok("export", old, "-o", bundle);
    for (String file : List.of(proof, bundle)) {
      assertThat(cli.ok("verify", file)).contains("closed the capsule", successor);
      assertThat(cli.json("verify", file)).containsEntry("successor", successor);
    }
    String open = create();
    String last = append(open, "last").getFirst();
    assertThat(cli.run("read", open, last).err()).isEmpty();
    assertThat(cli.json("heads", open)).containsEntry("closed", false);
  }

  @Test
  void bundlesCarryACapsuleToAnotherServer() throws Exception {
    String capsule = create();
    List<String> records = append(capsule, "a\nb\nc\nd\n", "--lines", "--batch", "1");
    List<String> more = append(capsule, "e\nf\n", "--lines");
    cli.ok("erase", capsule, records.get(1), "--reason", "x", "--key", key);
    String bundle = folder.resolve("copy.capsule").toString();
    assertThat(cli.json("export", capsule, "-o", bundle)).containsEntry("records", 5.0);
    assertThat(cli.ok("verify", bundle, "--capsule", capsule)).contains("5 records", "1 body was");
    Node second = Cli.serve(folder.resolve("second"));
    try {
      Cli there = new Cli(folder.resolve("home"), second);
      assertThat(there.ok("import", bundle)).isEqualTo(capsule);
      assertThat(there.ok("import", bundle)).isEqualTo(capsule);
      assertThat(there.ok("read", capsule, more.getFirst())).isEqualTo("e\nf");
      assertThat(there.run("read", capsule, records.get(1)).failsWith(1).err())
          .contains("erased by");
      assertThat(there.ok("heads", capsule)).isEqualTo(more.getFirst());
      String again = folder.resolve("again.capsule").toString();
      assertThat(there.json("export", capsule, "-o", again)).containsEntry("records", 5.0);
      there.ok("verify", again, "--capsule", capsule);
      assertThat(there.ok("log", capsule)).contains("signed").doesNotContain("UNPROVEN");
    } finally {
      second.close();
    }
  }

  /** What is said to do next fits what went wrong. */
  @Test
  void hintsFitWhatWentWrong() {
    String capsule = create();
    String record = append(capsule, "d").getFirst();
    String none = folder.resolve("none/x").toString();
    assertThat(cli.run("append", capsule, "--key", none).failsWith(1).err())
        .contains("cannot be read: no such file", "'holdfast key new FILE' makes a key");
    assertThat(cli.run("prove", capsule, record, "-o", none).failsWith(1).err())
        .contains("there is no folder " + folder.resolve("none"));
    assertThat(cli.run("edge", "audit", "nosuch").failsWith(1).err())
        .contains("no edge runs", "'holdfast edge up'");
  }

  @Test
  void anIncrementCarriesWhatIsNew() throws Exception {
    String capsule = create();
    String before = append(capsule, "a\nb\nc\n", "--lines", "--batch", "1").getLast();
    String first = folder.resolve("first.capsule").toString();
    cli.ok("export", capsule, "-o", first);
    String after = append(capsule, "d").getFirst();
    String second = folder.resolve("second.capsule").toString();
    assertThat(cli.json("export", capsule, "--since", first, "-o", second))
        .containsEntry("records", 1.0)
        .containsEntry("since", List.of(before))
        .containsEntry("links", 0.0);
    assertThat(cli.ok("verify", second, "--capsule", capsule))
        .contains(
            "1 record with 1 leaf", "Incremental: it holds only what came after record " + before);
    assertThat(cli.json("verify", second))
        .containsEntry("incremental", true)
        .containsEntry("since", List.of(before));
    assertThat(cli.json("verify", first)).containsEntry("incremental", false);
    String named = folder.resolve("named.capsule").toString();
    cli.ok("export", capsule, "--since", before.substring(0, 20), "-o", named);
    assertThat(java.nio.file.Files.readAllBytes(java.nio.file.Path.of(named)))
        .hasSizeLessThan((int) java.nio.file.Files.size(java.nio.file.Path.of(first)));
    cli.run("export", capsule, "--since", "no such file", "-o", named).failsWith(2);
    cli.run("export", capsule, "--since", first, "-o", first).failsWith(2);
    cli.run("export", capsule, "--since", capsule, "-o", named).failsWith(1);
    cli.run("export", create(), "--since", first, "-o", named).failsWith(2);
    Node other = Cli.serve(folder.resolve("second"));
    try {
      Cli there = new Cli(folder.resolve("home"), other);
      Cli.Ran refused = there.run("import", second).failsWith(1);
      assertThat(refused.err()).contains(before, "nothing was stored");
      there.run("read", capsule, after).failsWith(1);
      there.ok("import", first);
      assertThat(there.ok("import", second)).isEqualTo(capsule);
      assertThat(there.ok("heads", capsule)).isEqualTo(after);
    } finally {
      other.close();
    }
  }

  @Test
  void everyChangedByteOfAnIncrementIsAViolation() throws Exception {
    String capsule = create();
    append(capsule, "a");
    String first = folder.resolve("first.capsule").toString();
    cli.ok("export", capsule, "-o", first);
    append(capsule, "b");
    java.nio.file.Path second = folder.resolve("second.capsule");
    cli.ok("export", capsule, "--since", first, "-o", second.toString());
    byte[] bytes = java.nio.file.Files.readAllBytes(second);
    for (int at = 0; at < bytes.length; at += 3) {
      byte[] changed = bytes.clone();
      changed[at] ^= 0x40;
      java.nio.file.Files.write(second, changed);
      cli.run("verify", second.toString()).failsWith(3);
    }
    java.nio.file.Files.write(second, java.util.Arrays.copyOf(bytes, bytes.length - 1));
    cli.run("verify", second.toString()).failsWith(3);
  }

  @Test
  void anImportBringsNothingBackThatTheOwnerErased() {
    String capsule = create();
    String record = append(capsule, "a").getFirst();
    String bundle = folder.resolve("before-erasure.capsule").toString();
    cli.ok("export", capsule, "-o", bundle);
    assertThat(cli.ok("import", bundle)).isEqualTo(capsule);
    cli.ok("erase", capsule, record, "--reason", "x", "--key", key);
    assertThat(cli.ok("import", bundle)).isEqualTo(capsule);
    assertThat(cli.run("read", capsule, record).failsWith(1).err()).contains("erased by");
  }

  @Test
  void anAppendThatIsErasedOnArrivalIsNoSuccess() throws Exception {
    String capsule = create();
    Home home = Home.at(cli.home);
    long later = System.currentTimeMillis() + 3_600_000;
    try (Server connected = Server.at(server.endpoint(), home.trust())) {
      connected.declare(
          Statement.Erasure.sign(
              Hash.parse(capsule),
              later,
              new Statement.Erased.OfTimes(0, later),
              "retention",
              home.key(key)));
    }
    Cli.Ran refused = cli.input("x", "append", capsule, "--key", key, "--json").failsWith(1);
    assertThat(refused.out()).isEmpty();
    assertThat(refused.err()).contains("had this time range erased", "did not keep the body");
  }

  @Test
  void textOfOthersDoesNotSteerTheTerminal() {
    String nasty = "a\033[2J\u009b1m\u007f\b\u202eb\u2066c\nd\re";
    String harmless = "a.[2J.1m...b.c.d.e".replace(".", "\uFFFD");
    String owner = (String) cli.json("key", "show", key).get("key");
    String capsule =
        cli.ok("create", "--key", key, "--description", nasty, "--writer", nasty + "=" + owner);
    String record = append(capsule, nasty).getFirst();
    cli.ok("erase", capsule, append(capsule, "x").getFirst(), "--reason", nasty, "--key", key);
    String erased = cli.ok("heads", capsule);
    Cli.Ran gone = cli.run("read", capsule, erased).failsWith(1);
    List<String> printed =
        List.of(
            cli.ok("status", capsule),
            cli.ok("log", capsule),
            cli.ok("watch", capsule, "--from", "0", "-n", "1"));
    assertThat(printed).allMatch(text -> text.contains(harmless), "holds the text, made harmless");
    assertThat(gone.err()).contains("(a\uFFFD[2J", "b\uFFFDc d e)");
    for (String text : List.of(String.join("", printed), gone.err())) {
      assertThat(text.chars().filter(c -> c != '\n'))
          .noneMatch(c -> Terminal.steers((char) c.intValue()));
    }
    // Programs get all of it, escaped; content stays as it is.
    Cli.Ran json = cli.run("status", capsule, "--json").failsWith(0);
    assertThat(json.line().chars()).noneMatch(c -> Terminal.steers((char) c.intValue()));
    assertThat(cli.json("status", capsule)).containsEntry("description", nasty);
    assertThat(cli.run("read", capsule, record).out()).isEqualTo(nasty);
    cli.environment.put("HOLDFAST_DEBUG", "1");
    try {
      assertThat(cli.run("read", capsule, erased).err()).contains("\tat ").doesNotContain("\033");
    } finally {
      cli.environment.remove("HOLDFAST_DEBUG");
    }
  }

  @Test
  void statusAndPinsAndCompletion() {
    String capsule = create();
    assertThat(cli.json("status"))
        .containsEntry("writable", true)
        .containsEntry("damaged", 0.0)
        .containsKey("scrubbedAt");
    assertThat(cli.ok("status")).contains("Damaged   0 records, ");
    assertThat(cli.json("status", capsule))
        .containsEntry("capsule", capsule)
        .containsEntry("damaged", 0.0);
    assertThat(cli.ok("pin")).contains(server.identity().toString());
    assertThat(cli.ok("completion", "bash")).contains("append", "--lines");
    assertThat(cli.ok("--version")).startsWith("holdfast ");
    for (String verb :
        List.of(
            "up",
            "cluster",
            "demo",
            "key",
            "create",
            "append",
            "log",
            "read",
            "heads",
            "prove",
            "verify",
            "export",
            "import",
            "watch",
            "erase",
            "grant",
            "succeed",
            "fsck",
            "status",
            "pin",
            "context",
            "sim",
            "completion")) {
      assertThat(cli.ok(verb, "--help")).contains("Usage: holdfast " + verb, "--json");
    }
    cli.run("frobnicate").failsWith(2);
    cli.run("log").failsWith(2);
  }
}
