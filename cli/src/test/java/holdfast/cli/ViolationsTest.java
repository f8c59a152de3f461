package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.capsule.Bundle;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.OfflineProof;
import holdfast.capsule.Opener;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.client.BundleFile;
import holdfast.client.Home;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.node.Node;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever does not hold ends with exit code 3, without a server. */
class ViolationsTest {
  @TempDir static Path folder;
  private static Cli cli;
  private static String key;
  private static String capsule;
  private static Path proof;
  private static Path bundle;

  @BeforeAll
  static void write() {
    try (Node server = Cli.serve(folder.resolve("data"))) {
      cli = new Cli(folder.resolve("home"), server);
      key = cli.key("owner");
      capsule = cli.ok("create", "--key", key, "--description", "é \"quoted\"\n");
      List<String> records =
          cli.input(
                  "l0\nl1\nl2\nl3\nl4\n",
                  "append",
                  capsule,
                  "--key",
                  key,
                  "--lines",
                  "--batch",
                  "2")
              .failsWith(0)
              .lines();
      proof = folder.resolve("line.proof");
      cli.ok("prove", capsule, records.get(1) + "/1", "--disclose", "-o", proof.toString());
      bundle = folder.resolve("copy.capsule");
      cli.ok("export", capsule, "-o", bundle.toString());
    }
  }

  @AfterAll
  static void serverWasGoneAllTheTime() {
    cli.run("heads", capsule).failsWith(1);
  }

  @Test
  void aProofHoldsWithoutTheServer() {
    String owner = (String) cli.json("key", "show", key).get("key");
    Cli stranger = new Cli(folder.resolve("nowhere"));
    String said = stranger.ok("verify", proof.toString(), "--capsule", capsule, "--writer", owner);
    assertThat(said).contains("Verified: leaf 1 of 2", "Written by " + owner, "l3");
    assertThat(stranger.ok("verify", proof.toString())).contains("Consistent with", "compare");
    assertThat(stranger.json("verify", proof.toString()))
        .containsEntry("text", "l3")
        .containsEntry("authored", true)
        .containsEntry("anchored", false);
    assertThat(Files.exists(stranger.home)).isFalse();
  }

  @Test
  void wrongAnchorsAreViolations() {
    String other = "ab".repeat(32);
    cli.run("verify", proof.toString(), "--capsule", other).failsWith(3);
    cli.run("verify", bundle.toString(), "--capsule", other).failsWith(3);
    String stranger = (String) cli.json("key", "show", cli.key("other")).get("key");
    cli.run("verify", proof.toString(), "--writer", stranger).failsWith(3);
    cli.run("verify", bundle.toString(), "--writer", stranger).failsWith(3);
    cli.run("verify", proof.toString(), "--capsule", capsule.substring(0, 4)).failsWith(2);
    cli.run("verify", proof.toString(), "--writer", "me").failsWith(2);
    cli.run("verify", folder.resolve("none").toString()).failsWith(1);
  }

  @Test
  void everyByteOfAProofCounts() throws Exception {
    byte[] good = Files.readAllBytes(proof);
    Path bad = folder.resolve("bad.proof");
    for (int i = 0; i < good.length; i++) {
      byte[] bytes = good.clone();
      bytes[i] ^= (byte) (1 << (i % 8));
      Files.write(bad, bytes);
      // Metadata is covered by the name alone, so the name has to be given.
      assertThat(cli.run("verify", bad.toString(), "--capsule", capsule).exitCode())
          .as("byte %s", i)
          .isEqualTo(3);
    }
    Files.write(bad, java.util.Arrays.copyOf(good, good.length - 1));
    cli.run("verify", bad.toString()).failsWith(3);
    Files.write(bad, java.util.Arrays.copyOf(good, good.length + 1));
    cli.run("verify", bad.toString()).failsWith(3);
    Files.write(bad, new byte[0]);
    Cli.Ran empty = cli.run("verify", bad.toString(), "--json").failsWith(3);
    assertThat(empty.line()).startsWith("{\"ok\":false");
    assertThat(empty.err()).doesNotContain("\tat ");
  }

  @Test
  void everyByteOfABundleCounts() throws Exception {
    byte[] good = Files.readAllBytes(bundle);
    Path bad = folder.resolve("bad.capsule");
    for (int i = 0; i < good.length; i += 7) {
      byte[] bytes = good.clone();
      bytes[i] ^= (byte) (1 << (i % 8));
      Files.write(bad, bytes);
      cli.run("verify", bad.toString()).failsWith(3);
    }
    Files.write(bad, java.util.Arrays.copyOf(good, good.length - 40));
    cli.run("verify", bad.toString()).failsWith(3);
    cli.run("import", bad.toString()).failsWith(3);
  }

  @Test
  void aBundleHoldsNothingOutsideOfTheFinalHeadsInIt() throws Exception {
    byte[] good = Files.readAllBytes(bundle);
    Path closed = folder.resolve("closed.capsule");
    Home home = Home.at(cli.home);
    List<Hash> head = new ArrayList<>();
    for (Statement statement : BundleFile.verify(bundle).statements()) {
      if (statement instanceof Statement.WriterSignature signature) {
        head.add(signature.record());
      }
    }
    Files.write(closed, with(good, succession(head, home.key(key)).encode()));
    assertThat(cli.ok("verify", closed.toString())).contains("closed the capsule");
    Files.write(closed, with(good, succession(List.of(), home.key(key)).encode()));
    Cli.Ran refused = cli.run("verify", closed.toString(), "--json").failsWith(3);
    assertThat(refused.line()).contains("\"violation\":\"OUTSIDE\"");
    cli.run("import", closed.toString()).failsWith(3);
  }

  private static Statement succession(List<Hash> heads, SigningKey owner) {
    return Statement.Succession.sign(
        Hash.parse(capsule), 1, heads, Hash.parse("ab".repeat(32)), owner);
  }

  /** A bundle with one more statement, and the hash at its end made anew. */
  private static byte[] with(byte[] file, byte[] statement) throws Exception {
    int count = 8 + 4 + ByteBuffer.wrap(file).getInt(8) + 64;
    ByteBuffer out = ByteBuffer.allocate(file.length + 4 + statement.length);
    out.put(file, 0, count).putInt(ByteBuffer.wrap(file).getInt(count) + 1);
    out.putInt(statement.length).put(statement);
    out.put(file, count + 4, file.length - count - 4 - Hash.SIZE);
    byte[] hashed = Arrays.copyOf(out.array(), out.position());
    return out.put(MessageDigest.getInstance("SHA-256").digest(hashed)).array();
  }

  // ---- What verify says of who wrote and who vouches --------------------------------------------

  private static final SigningKey SIGNER = SigningKey.ofSeed(seed(1));
  private static final SigningKey CLAIMED = SigningKey.ofSeed(seed(2));
  private static final Metadata TWO_WRITERS =
      new Metadata(
          SIGNER.verifyKey(),
          List.of(
              new Metadata.Writer(SIGNER.verifyKey(), "signer"),
              new Metadata.Writer(CLAIMED.verifyKey(), "claimed")),
          "",
          1,
          "",
          Bytes.wrap(new byte[16]),
          new TreeMap<>());
  private static final ContentKey CONTENT_KEY = new ContentKey(0, Secret.copyOf(seed(3)));

  private static byte[] seed(int value) {
    byte[] seed = new byte[32];
    Arrays.fill(seed, (byte) value);
    return seed;
  }

  private static Record record(int writer, String text, List<Hash> pointers) {
    byte[] salt = Arrays.copyOf(seed(4 + writer), 16);
    return new Sealer(TWO_WRITERS.name(), writer, CONTENT_KEY, salt)
        .seal(List.of(text.getBytes(UTF_8)), 1, pointers);
  }

  private static byte[] signature(Record record) {
    return Statement.WriterSignature.sign(TWO_WRITERS.name(), record.name(), 0, SIGNER)
        .signature()
        .toArray();
  }

  /** A record that names the other writer, below one that the signer signed. */
  private static byte[] vouched(String text) throws Exception {
    Record below = record(1, text, List.of());
    Record above = record(0, "above", List.of(below.name()));
    byte[] chain =
        new Encoder()
            .u32(2)
            .raw(above.header().unsafeBytes())
            .u8(0)
            .u16(0)
            .raw(signature(above))
            .raw(below.header().unsafeBytes())
            .u8(1)
            .u32(0)
            .toBytes();
    var leaf =
        new OfflineProof.Leaf(
            0, Bytes.wrap(Objects.requireNonNull(below.body()).leaf(0)), List.of());
    Secret key = new Opener(TWO_WRITERS.name(), List.of(CONTENT_KEY)).recordKey(below.header());
    return OfflineProof.encode(TWO_WRITERS, chain, leaf, key, List.of(), null);
  }

  @Test
  void vouchedForIsNotCalledWritten() throws Exception {
    Path file = folder.resolve("vouched.proof");
    Files.write(file, vouched("text"));
    assertThat(cli.ok("verify", file.toString()))
        .contains(
            "Vouched for by "
                + SIGNER.verifyKey()
                + ". It claims to be written by "
                + CLAIMED.verifyKey()
                + ", which this proof does not show.")
        .doesNotContain("Written by");
    assertThat(cli.json("verify", file.toString())).containsEntry("authored", false);
    for (SigningKey key : List.of(SIGNER, CLAIMED)) {
      assertThat(
              cli.run("verify", file.toString(), "--writer", key.verifyKey().toString())
                  .failsWith(3)
                  .err())
          .contains("not shown to be written by", "who vouches for it");
    }
    assertThat(cli.ok("verify", proof.toString()))
        .contains("Written by", ", whose signature covers it.")
        .doesNotContain("Vouched");
  }

  @Test
  void aBundleCountsWhatIsOnlyVouchedFor() throws Exception {
    Record below = record(1, "below", List.of());
    Record above = record(0, "above", List.of(below.name()));
    byte[] statement =
        Statement.WriterSignature.sign(TWO_WRITERS.name(), above.name(), 0, SIGNER).encode();
    byte[] body =
        new Encoder()
            .raw(
                new Bundle.Head(TWO_WRITERS, Bytes.wrap(TWO_WRITERS.signCreation(SIGNER))).encode())
            .u32(1)
            .bytes32(statement)
            .u64(2)
            .bytes32(Record.encodeAll(List.of(below, above)))
            .u32(0)
            .toBytes();
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(body);
    Path file = folder.resolve("vouched.capsule");
    Files.write(file, new Encoder().raw(body).raw(hash).toBytes());
    assertThat(cli.ok("verify", file.toString()))
        .contains("1 record is shown to be by the writer it names; for the others another");
    assertThat(cli.json("verify", file.toString())).containsEntry("authored", 1.0);
    assertThat(cli.ok("verify", bundle.toString())).doesNotContain("vouches");
  }

  @Test
  void disclosedContentDoesNotSteerATerminal() throws Exception {
    Path file = folder.resolve("nasty.proof");
    String nasty = "a\033[2Jb\nc";
    Files.write(file, vouched(nasty));
    assertThat(cli.run("verify", file.toString()).out()).contains(nasty);
    cli.shown = true;
    try {
      assertThat(cli.run("verify", file.toString()).out())
          .contains("a\uFFFD[2Jb\nc")
          .doesNotContain("\033");
    } finally {
      cli.shown = false;
    }
  }

  @Test
  void usageErrorsAreJsonWhereJsonWasAskedFor() {
    for (String[] wrong :
        new String[][] {
          {"log", "--json"}, {"verify", "--nonsense", "--json"}, {"heads", "a", "b", "--json"}
        }) {
      Cli.Ran ran = cli.run(wrong).failsWith(2);
      assertThat(ran.out()).isEmpty();
      @SuppressWarnings("unchecked")
      Map<String, Object> said = (Map<String, Object>) TestJson.parse(ran.err().strip());
      assertThat(said)
          .containsEntry("error", "INVALID")
          .containsEntry("exitCode", 2.0)
          .containsKeys("message", "next");
    }
    assertThat(cli.run("log").failsWith(2).err()).startsWith("holdfast: ");
    cli.environment.put("HOLDFAST_LOG_JSON", "true");
    try {
      assertThat(cli.run("log").failsWith(2).err()).startsWith("{\"error\":\"INVALID\"");
    } finally {
      cli.environment.remove("HOLDFAST_LOG_JSON");
    }
  }
}
