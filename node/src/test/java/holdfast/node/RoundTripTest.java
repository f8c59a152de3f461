package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Freshness;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.PendingRead;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written comes back, proven, also after a restart. */
class RoundTripTest {
  @TempDir Path folder;
  private NodeFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = NodeFixture.start(folder);
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  @Test
  void aLeafIsReadThoughItsHeaderIsPushedOutBeforeTheAnswerComes() throws Exception {
    int others = (1 << 15) + 500;
    Hash record;
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults().withBatchRecords(1000))) {
      record = writer.append(List.of("first".getBytes(UTF_8), "second".getBytes(UTF_8)));
      for (int i = 0; i < others; i++) {
        names.add(writer.append(new byte[] {1}));
      }
      writer.commitOrThrow();
    }
    try (CapsuleReader reader = fixture.reader(new ReaderOptions(1 << 17, 30_000))) {
      assertThat(reader.readLeaves(List.of(new ReadResult.LeafName(record, 0))))
          .allMatch(leaf -> leaf instanceof ReadResult.LeafResult.Proven);
      for (int from = 0; from < others; from += 8000) {
        reader.beginProve(names.subList(from, Math.min(others, from + 8000)));
      }
      PendingRead second = reader.beginLeaves(List.of(new ReadResult.LeafName(record, 1)));
      assertThat(second.await().leaves())
          .allMatch(leaf -> leaf instanceof ReadResult.LeafResult.Proven);
    }
  }

  @Test
  void D5_D12_D13_whatIsWrittenIsReadBackProven() throws Exception {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults().withBatchRecords(100))) {
      for (int i = 0; i < 1050; i++) {
        names.add(writer.append(("record " + i).getBytes(UTF_8)));
      }
      writer.commitOrThrow();
    }
    expectAll(names);
    fixture.restart();
    expectAll(names);
  }

  private void expectAll(List<Hash> names) throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      List<ReadResult> results = reader.readAll(names);
      for (int i = 0; i < names.size(); i++) {
        assertThat(results.get(i)).isInstanceOf(ReadResult.Proven.class);
        ReadResult.Proven proven = (ReadResult.Proven) results.get(i);
        assertThat(proven.voucher().authored()).isTrue();
        byte[][] leaves = reader.opener().openAll(proven.record().header(), proven.record().body());
        assertThat(new String(leaves[0], UTF_8)).isEqualTo("record " + i);
      }
      Freshness fresh = reader.heads();
      assertThat(fresh.heads()).containsExactly(names.getLast());
      assertThat(fresh.tips()).isEmpty();
    }
  }

  @Test
  void D33_D34_subrecordsAreReadAndProvenOneByOne() throws Exception {
    List<byte[]> leaves = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      leaves.add(("leaf " + i).getBytes(UTF_8));
    }
    Hash name;
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults())) {
      name = writer.append(leaves);
      writer.commitOrThrow();
    }
    fixture.restart();
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      for (int from = 0; from < 1000; from += 50) {
        List<ReadResult.LeafName> wanted = new ArrayList<>();
        for (int i = from; i < from + 50; i++) {
          wanted.add(new ReadResult.LeafName(name, (i * 7) % 1000));
        }
        for (ReadResult.LeafResult result : reader.readLeaves(wanted)) {
          assertThat(result).isInstanceOf(ReadResult.LeafResult.Proven.class);
          var proven = (ReadResult.LeafResult.Proven) result;
          byte[] text =
              reader
                  .opener()
                  .open(proven.header(), proven.name().leaf(), proven.sealed().toArray());
          assertThat(new String(text, UTF_8)).isEqualTo("leaf " + proven.name().leaf());
        }
      }
    }
  }

  @Test
  void D45_recordsAreProvenOnceSignedOnDemand() throws Exception {
    try (CapsuleWriter writer =
            fixture.writer(WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand()));
        CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      Hash first = writer.append("a".getBytes(UTF_8));
      Hash second = writer.append("b".getBytes(UTF_8));
      writer.commitOrThrow();
      assertThat(reader.read(first)).isInstanceOf(ReadResult.Unproven.class);
      assertThat(reader.heads().tips()).containsExactly(second);
      writer.sign();
      writer.commitOrThrow();
      assertThat(reader.read(first)).isInstanceOf(ReadResult.Proven.class);
      assertThat(reader.heads().heads()).containsExactly(second);
    }
  }
}
