package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.client.BundleFile;
import holdfast.client.Home;
import holdfast.crypto.SigningKey;
import holdfast.node.Node;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
}
