package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nobody makes a record that verifies as another writer's. */
class AuthorshipTest {
  @TempDir Path folder;

  @Test
  void aRecordThatAnotherWriterPutUnderMyNameNeverBecomesMine() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder)) {
      fixture.begin();
      Record forged;
      try (RawClient second = new RawClient(fixture, fixture.second)) {
        // Writer 1 makes a record that names writer 0, and vouches for it.
        forged = second.record(0, List.of(), "I owe you".getBytes(UTF_8));
        second.expectReceipt(second.write(List.of(forged), List.of(second.sign(forged.name()))));
      }
      Hash mine;
      try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults())) {
        mine = writer.append("mine".getBytes(UTF_8));
        writer.commitOrThrow();
      }
      try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
        assertThat(reader.read(mine))
            .isInstanceOfSatisfying(
                ReadResult.Proven.class,
                one -> {
                  assertThat(one.voucher().authored()).isTrue();
                  assertThat(one.record().header().pointsAt(forged.name())).isFalse();
                });
        assertThat(reader.read(forged.name()))
            .isInstanceOfSatisfying(
                ReadResult.Proven.class,
                one -> {
                  assertThat(one.voucher().authored()).isFalse();
                  assertThat(one.voucher().signer()).isEqualTo(1);
                });
        assertThat(reader.heads().heads()).containsExactlyInAnyOrder(mine, forged.name());
      }
    }
  }
}
