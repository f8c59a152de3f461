package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.Violation;
import holdfast.capsule.Absence;
import holdfast.capsule.Evidence;
import holdfast.capsule.Receipt;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Servers that are asked whether they have what they signed for. */
@Timeout(Patience.TEST_SECONDS)
class AuditTest extends MaliciousServerTest {
  private List<Receipt.Extract> promises(int count) throws Exception {
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults())) {
      for (int i = 0; i < count; i++) {
        writer.append(new byte[] {(byte) i});
      }
      return writer.commitOrThrow().getFirst().extracts();
    }
  }

  @Test
  void aServerThatHasWhatItSignedForGivesNoEvidence() throws Exception {
    List<Receipt.Extract> promised = promises(3);
    assertThat(promised).hasSize(4);
    try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
      for (Receipt.Extract one : promised) {
        assertThat(reader.audit(one)).isEmpty();
      }
    }
  }

  @Test
  void aServerThatLostARecordSignsThatItDid() throws Exception {
    List<Receipt.Extract> promised = promises(2);
    meddler.requests(request ->
        request.hasAbsent()
            ? List.of(
                request.toBuilder()
                    .setAbsent(request.getAbsent().toBuilder().setName(Forgery.bytes(new byte[32])))
                    .build())
            : List.of(request));
    try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
      // An answer about another record is none to this question.
      refused(Violation.NOT_FRESH, "another question", () -> reader.audit(promised.getFirst()));
    }
    meddler.requests(List::of);
    meddler.alter(reply -> {
      if (!reply.hasAbsent()) {
        return reply;
      }
      var asked =
          meddler.requests.stream()
              .filter(r -> r.getId() == reply.getId() && r.hasAbsent())
              .toList();
      var absent = asked.getLast().getAbsent();
      byte[] answer =
          Absence.sign(
                  fixture.nodeKey(),
                  fixture.capsule,
                  Hash.of(absent.getNonce().toByteArray()),
                  1,
                  Hash.of(absent.getName().toByteArray()))
              .encode();
      return reply.toBuilder()
          .setAbsent(reply.getAbsent().toBuilder().setAnswer(Forgery.bytes(answer)))
          .build();
    });
    try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
      Evidence evidence = reader.audit(promised.getFirst()).orElseThrow();
      assertThat(Evidence.verify(evidence.encode())).isEqualTo(evidence);
      assertThat(evidence.denied().server()).isEqualTo(fixture.node.identity());
    }
  }
}
