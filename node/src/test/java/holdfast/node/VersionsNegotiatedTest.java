package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Status;
import holdfast.wire.Versions;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Both sides say which versions they speak, and nobody between them changes what they said. */
class VersionsNegotiatedTest extends MaliciousServerTest {
  private static Request.Builder status() {
    return Request.newBuilder().setStatus(Status.getDefaultInstance());
  }

  private static Versions versions(int lowest, int highest) {
    return Versions.newBuilder().setLowest(lowest).setHighest(highest).build();
  }

  @Test
  void theFirstReplyStatesWhatTheServerSpeaks() {
    try (RawClient raw = RawClient.bare(fixture)) {
      Reply first = raw.call(status().setSpeaks(versions(1, 9)));
      assertThat(first.hasStatus()).isTrue();
      assertThat(first.getSpeaks()).isEqualTo(versions(1, 1));
      assertThat(raw.call(status()).hasSpeaks()).isFalse();
    }
    try (RawClient silent = RawClient.bare(fixture)) {
      assertThat(silent.call(status()).hasStatus()).isTrue();
    }
  }

  @Test
  void withoutAVersionInCommonNothingIsDone() {
    try (RawClient raw = RawClient.bare(fixture)) {
      raw.expectError(
          ErrorCode.VERSION,
          "versions 7 to 9, the server 1 to 1",
          status().setSpeaks(versions(7, 9)));
      raw.expectError(ErrorCode.VERSION, "7 to 9", status().setSpeaks(versions(1, 1)));
    }
    try (RawClient raw = RawClient.bare(fixture)) {
      raw.expectError(ErrorCode.INVALID, "from 3 to 2", status().setSpeaks(versions(3, 2)));
    }
  }

  @Test
  void aServerThatSpeaksNothingInCommonIsLeft() {
    meddler.alter(
        reply -> reply.hasSpeaks() ? reply.toBuilder().setSpeaks(versions(2, 4)).build() : reply);
    assertThatThrownBy(() -> reader(ReaderOptions.defaults()))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.VERSION))
        .hasMessageContaining("versions 1 to 1, the server 2 to 4");
  }

  @Test
  void whoeverPassesMessagesOnCannotChangeWhatWasStated() throws Exception {
    writer(WriterOptions.defaults()).close();
    meddler.requests(request -> List.of(request.toBuilder().clearSpeaks().build()));
    refuses();
    meddler.requests(request ->
        List.of(
            request.hasSpeaks() ? request.toBuilder().setSpeaks(versions(1, 2)).build() : request));
    refuses();
    meddler.requests(List::of);
    meddler.alter(
        reply -> reply.hasSpeaks() ? reply.toBuilder().setSpeaks(versions(1, 2)).build() : reply);
    refuses();
  }

  private void refuses() {
    assertThatThrownBy(() -> writer(WriterOptions.defaults()))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.VIOLATION))
        .hasMessageContaining("BAD_SIGNATURE");
  }
}
