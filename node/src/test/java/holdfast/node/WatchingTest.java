package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.Subscription;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Declare;
import holdfast.wire.Page;
import holdfast.wire.Read;
import holdfast.wire.Request;
import holdfast.wire.Watch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A watch hears of all that is new: records, and what is said about them later. */
@Timeout(Patience.TEST_SECONDS)
class WatchingTest {
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

  private static Page page(RawClient raw) {
    var reply = raw.next();
    assertThat(reply.hasPage()).as(reply.toString()).isTrue();
    return reply.getPage();
  }

  @Test
  void signaturesAndStatementsThatComeAloneArePushedBehindTheirRecords() throws Exception {
    try (RawClient watcher = new RawClient(fixture, null);
        RawClient writer = new RawClient(fixture, fixture.owner)) {
      watcher.send(
          Request.newBuilder().setWatch(Watch.newBuilder().setContent(Read.Content.HEADERS)));
      Record record = writer.record(0, List.of(), new byte[10]);
      writer.expectReceipt(writer.write(List.of(record), List.of()));
      Page arrived = page(watcher);
      assertThat(arrived.getProven().toByteArray()).containsExactly(0);
      assertThat(arrived.getStatementsList()).isEmpty();

      Statement signature = writer.sign(record.name());
      writer.expectReceipt(writer.write(List.of(), List.of(signature)));
      Page signed = page(watcher);
      assertThat(signed.getRecords()).isEqualTo(ByteString.EMPTY);
      assertThat(signed.getNext()).isEqualTo(1);
      assertThat(signed.getStatementsList())
          .containsExactly(ByteString.copyFrom(signature.encode()));

      Statement erasure =
          Statement.Erasure.sign(
              fixture.capsule,
              1L << 40,
              new Statement.Erased.OfRecord(record.name()),
              "test",
              fixture.owner);
      writer.expectReceipt(
          Request.newBuilder()
              .setDeclare(
                  Declare.newBuilder().addStatements(ByteString.copyFrom(erasure.encode()))));
      assertThat(page(watcher).getStatementsList())
          .containsExactly(ByteString.copyFrom(erasure.encode()));

      Record both = writer.record(0, List.of(record.name()), new byte[10]);
      Statement its = writer.sign(both.name());
      writer.expectReceipt(writer.write(List.of(both), List.of(its)));
      assertThat(page(watcher).getProven().toByteArray()).containsExactly(1);
      assertThat(page(watcher).getStatementsList())
          .containsExactly(ByteString.copyFrom(its.encode()));
    }
  }

  @Test
  void aSubscriptionReturnsRecordsWhenASignatureProvesThem() throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults());
        Subscription watch = reader.watch(0);
        CapsuleWriter writer =
            fixture.writer(WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand()))) {
      List<Hash> names = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        names.add(writer.append(new byte[] {(byte) i}));
      }
      writer.commitOrThrow();
      while (watch.unproven().size() < 20) {
        assertThat(watch.poll(5000)).isEmpty();
      }
      writer.sign();
      writer.commitOrThrow();
      // Nothing but the signature has come, and nothing else will.
      List<ReadResult> proven = new ArrayList<>();
      while (proven.isEmpty()) {
        proven.addAll(watch.poll(60_000));
      }
      assertThat(proven).allMatch(r -> r instanceof ReadResult.Proven);
      assertThat(proven.stream().map(ReadResult::name)).containsExactlyInAnyOrderElementsOf(names);
      assertThat(watch.unproven()).isEmpty();
    }
  }

  @Test
  void aWatchThatDoesNotReadLearnsThatStatementsWereSkipped() {
    News news = new News();
    Statement one = Statement.WriterSignature.sign(fixture.capsule, Hash.ZERO, 0, fixture.owner);
    news.add(Collections.nCopies(News.STATEMENTS - 1, one));
    news.add(List.of(one, one));
    News.Batch taken = news.take();
    assertThat(taken.statements()).hasSize(News.STATEMENTS - 1);
    assertThat(taken.skipped()).isTrue();
    assertThat(taken.without(News.STATEMENTS - 1).empty()).isTrue();
    assertThat(news.empty()).isTrue();
    news.add(List.of(one));
    assertThat(news.take()).isEqualTo(new News.Batch(List.of(one), false));
  }
}
