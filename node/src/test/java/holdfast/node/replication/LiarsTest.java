package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What peers did that was false is remembered. */
class LiarsTest {
  @TempDir Path folder;

  private static final VerifyKey ONE = SigningKey.ofSeed(new byte[32]).verifyKey();
  private static final Hash CAPSULE = Hash.of(new byte[32]);

  @Test
  void aRestartForgetsNoneOfIt() throws Exception {
    Path file = folder.resolve("liars");
    Liars liars = new Liars(file);
    assertThat(liars.all()).isEmpty();
    liars.note(5, CAPSULE, ONE, "MALFORMED: first\nline");
    liars.note(6, CAPSULE, ONE, "x".repeat(5000));
    assertThat(new Liars(file).all()).isEqualTo(liars.all()).hasSize(2);
    assertThat(new Liars(file).of(CAPSULE, ONE)).isEqualTo(liars.all());
    assertThat(liars.all().getFirst().what()).isEqualTo("MALFORMED: first line");
    assertThat(liars.all().getLast().what()).hasSize(400);
    // A line that cannot be read costs that line only.
    Files.writeString(file, "no line of this\n", StandardOpenOption.APPEND);
    assertThat(new Liars(file).all()).isEqualTo(liars.all());
  }

  @Test
  void theNewestStayWhenThereAreTooMany() throws Exception {
    Path file = folder.resolve("liars");
    Liars liars = new Liars(file);
    for (int i = 0; i < 300; i++) {
      liars.note(i, CAPSULE, peer(i % 20), "lie " + i);
    }
    assertThat(liars.all()).hasSize(256);
    assertThat(liars.all().getLast().what()).isEqualTo("lie 299");
    assertThat(Files.readAllLines(file)).hasSize(256);
  }

  @Test
  void whoLiesAllTheTimePushesOutOnlyItsOwn() throws Exception {
    Path file = folder.resolve("liars");
    Liars liars = new Liars(file);
    liars.note(0, CAPSULE, peer(1), "the only one");
    for (int i = 0; i < 300; i++) {
      liars.note(i, CAPSULE, ONE, "lie " + i);
    }
    assertThat(liars.of(CAPSULE, peer(1))).hasSize(1);
    assertThat(liars.of(CAPSULE, ONE)).hasSize(32);
    assertThat(liars.all().getLast().what()).isEqualTo("lie 299");
    assertThat(new Liars(file).all()).isEqualTo(liars.all());
    // Many that lie leave at least one of each.
    for (int i = 2; i < 200; i++) {
      for (int times = 0; times < 5; times++) {
        liars.note(i, CAPSULE, peer(i), "again");
      }
    }
    assertThat(liars.all()).hasSize(256);
    assertThat(liars.of(CAPSULE, peer(1))).hasSize(1);
    assertThat(liars.of(CAPSULE, ONE)).isNotEmpty();
  }

  private static VerifyKey peer(int number) {
    byte[] seed = new byte[32];
    seed[0] = 1;
    seed[1] = (byte) number;
    return SigningKey.ofSeed(seed).verifyKey();
  }
}
