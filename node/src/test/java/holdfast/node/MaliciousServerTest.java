package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Backpointers;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** What tests of a malicious server share: an honest node, the same turned malicious, a client. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class MaliciousServerTest {
  /** Every record points at the one before, one signature at the end: the longest proofs. */
  static final WriterOptions CHAIN =
      WriterOptions.defaults()
          .withLinks(new Backpointers.Strategy.Chain())
          .withSigning(new SigningPolicy.OnDemand());

  NodeFixture fixture;
  Meddler meddler;
  Server server;

  @BeforeAll
  void startNode(@TempDir Path folder) throws Exception {
    fixture = NodeFixture.start(folder);
  }

  @BeforeEach
  void start() throws Exception {
    fixture.begin();
    meddler = Meddler.of(fixture);
    server = Server.at(meddler.endpoint(), meddler.identity());
  }

  @AfterEach
  void stop() {
    meddler.close();
    server.close();
  }

  @AfterAll
  void stopNode() {
    fixture.close();
  }

  CapsuleReader reader(ReaderOptions how) throws ProofException {
    return server.openReader(fixture.capsule, List.of(fixture.contentKey), how);
  }

  CapsuleWriter writer(WriterOptions how) throws ProofException {
    return server.openWriter(fixture.capsule, fixture.owner, fixture.contentKey, how);
  }

  /** Expects that something is refused as bad evidence, with words that say what was wrong. */
  static void refused(Violation violation, String words, ThrowingCallable what) {
    assertThatThrownBy(what)
        .isInstanceOfSatisfying(
            ProofException.class, e -> assertThat(e.violation()).isEqualTo(violation))
        .hasMessageContaining(words);
  }
}
