package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What tests of a malicious client share. After each attack an honest one is served, and nothing
 * was stored that should not have been.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(Patience.TEST_SECONDS)
abstract class HostileClientTest {
  NodeFixture fixture;
  Hash honest = Hash.ZERO;

  @BeforeAll
  void startNode(@TempDir Path folder) throws Exception {
    fixture = NodeFixture.start(folder);
  }

  @BeforeEach
  void start() throws Exception {
    fixture.begin();
    honest = fixture.append(1, WriterOptions.defaults()).getFirst();
  }

  @AfterEach
  void honestClientsAreServedAndNothingElseIsStored() throws Exception {
    assertThat(fixture.records()).isEqualTo(1);
    List<Hash> names = fixture.append(2, WriterOptions.defaults());
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
      assertThat(reader.read(honest)).isInstanceOf(ReadResult.Proven.class);
    }
    assertThat(fixture.records()).isEqualTo(3);
  }

  @AfterAll
  void everythingStoredIsSound() throws Exception {
    fixture.expectClean(3);
    fixture.close();
  }

  RawClient writer() {
    return new RawClient(fixture, fixture.second);
  }

  static byte[] text(String text) {
    return text.getBytes(UTF_8);
  }

  static ByteString bytes(byte[] array) {
    return ByteString.copyFrom(array);
  }
}
