package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Holding;
import holdfast.capsule.Record;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Handover;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.ReplicationOptions;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import holdfast.wire.CommitPart;
import holdfast.wire.Error;
import holdfast.wire.HoldAnswer;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Servers refuse a writer who has not heard of a move that they know of. */
@Timeout(Patience.TEST_SECONDS)
class FencedWriterTest extends MovingCapsule {
  /** Looks for placements so seldom that it never does. */
  private static final ReplicationOptions UNSEEING =
      ReplicationOptions.majority().withLookMillis(3_600_000);

  private CapsuleWriter unseeing(Replicas replicas, WriterOptions how) throws ProofException {
    return replicas.openWriter(first.owner, first.contentKey, how, UNSEEING);
  }

  /** The owner moves twice and says that both moves are over; these servers hear of all. */
  private Statement.Placement moveTwice(int... told) throws ProofException {
    Statement.Placement last = placement(3, 4, 5);
    for (int i : told) {
      declare(i, old, placement(2, 3), last, Release.sign(first.capsule, 3, 3, first.owner));
    }
    return last;
  }

  private static WriteResult.Replicated replicated(CapsuleWriter writer) throws ProofException {
    List<WriteResult> results = writer.commit();
    assertThat(results)
        .isNotEmpty()
        .allSatisfy(one -> assertThat(one).isInstanceOf(WriteResult.Replicated.class));
    return (WriteResult.Replicated) results.getLast();
  }

  /** D11: without that, two servers that meet nobody any more acknowledge it, and stop. */
  @Test
  void d11WhatIsWrittenByAPlacementThatIsOverIsAcknowledgedByTheOneThatHolds() throws Exception {
    start(false);
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = unseeing(replicas, patient())) {
      writer.append("before".getBytes(UTF_8));
      assertThat(replicated(writer).placement()).isEqualTo(old);
      Statement.Placement last = moveTwice(0, 1, 2, 3, 4, 5);
      Hash name = writer.append("after".getBytes(UTF_8));
      assertThat(replicated(writer).placement()).isEqualTo(last);
      assertThat(having(name, 4, 5)).isEqualTo(2);
      assertThat(members(writer)).isEqualTo(addresses(4, 5));
    }
  }

  /** D11: the one server that was asked has not heard of the moves; the two others have. */
  @Test
  void d11AShortWriterThatWasShownAnOldPlacementAloneIsToldByTheOthers() throws Exception {
    start(false);
    Statement.Placement last = moveTwice(0, 1, 3, 4, 5);
    Hash name;
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = unseeing(replicas, patient())) {
      name = writer.append("short".getBytes(UTF_8));
      assertThat(replicated(writer).placement()).isEqualTo(last);
    }
    assertThat(having(name, 4, 5)).isEqualTo(2);
  }

  /** Many batches are under way in a session that was opened before the move. */
  @Test
  void allThatIsUnderWayInALongSessionGoesToBothPlacements() throws Exception {
    start(false);
    List<Hash> names = new ArrayList<>();
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = unseeing(replicas, patient())) {
      NodeFixture.eventually("all are connected", () -> connected(writer) == 3);
      append(writer, names);
      for (int i = 0; i < 6; i++) {
        declare(i, old, placement(2, 3, 4, 5));
      }
      for (int i = 0; i < 40; i++) {
        names.add(writer.append(("under way " + i).getBytes(UTF_8)));
        writer.send();
      }
      assertThat(replicated(writer).placement().version()).isEqualTo(2);
      assertThat(meddlers.get(0).opened.get()).isLessThan(6);
    }
    List<Hash> later = names.subList(1, names.size());
    for (List<Integer> side : List.of(List.of(0, 1, 2), List.of(3, 4, 5))) {
      assertThat(side.stream().filter(i -> proven(i, later) == later.size()).count())
          .isGreaterThanOrEqualTo(2);
    }
  }

  /** Receipts of one server count for that server, wherever the capsule is placed. */
  @Test
  void aWriterToOneServerGoesOnWhenTheCapsuleIsPlacedElsewhere() throws Exception {
    start(false);
    WriterOptions how = WriterOptions.defaults().withBatchRecords(1).withRetry(10_000, 5_000);
    try (CapsuleWriter writer =
        nodes.get(0).server.openWriter(first.capsule, first.owner, first.contentKey, how)) {
      for (int version = 2; version < 5; version++) {
        List<Hash> names = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
          names.add(writer.append(("of version " + version).getBytes(UTF_8)));
          writer.send();
        }
        assertThat(writer.commitOrThrow()).hasSize(10);
        assertThat(proven(0, names)).isEqualTo(10);
        declare(0, placement(version, 0, 3, 4));
      }
    }
  }

  /** The server compares with each write, and a session restates what it goes by. */
  @Test
  void aSessionIsRefusedForWhatItStatesWithEachWrite() throws Exception {
    start(false);
    try (RawClient raw = new RawClient(first, first.owner);
        RawClient carrier = new RawClient(first, null)) {
      Record before = raw.record(0, List.of(), "before".getBytes(UTF_8));
      raw.expectReceipt(raw.write(List.of(before), List.of()).setPlacement(1));
      declare(0, placement(2, 3, 4, 5));
      Record after = raw.record(0, List.of(before.name()), "after".getBytes(UTF_8));
      Request.Builder write = raw.write(List.of(after), List.of(raw.sign(after.name())));
      raw.expectError(ErrorCode.SUPERSEDED, "goes by none", write.clone());
      raw.expectError(ErrorCode.SUPERSEDED, "by version 1;", write.clone().setPlacement(1));
      // A signature is what makes a record proven: it moves as little as records do.
      raw.expectError(
          ErrorCode.SUPERSEDED,
          "version 2 of the placement is known here",
          raw.write(List.of(), List.of(raw.sign(before.name()))).setPlacement(1));
      raw.expectError(
          ErrorCode.SUPERSEDED,
          "by version 1;",
          Request.newBuilder()
              .setPlacement(1)
              .setCommit(
                  CommitPart.newBuilder()
                      .setLeaves(Forgery.bytes(after.body().unsafeBytes()))
                      .setHeader(Forgery.bytes(after.header().unsafeBytes()))));
      assertThat(has(0, after.name())).isFalse();
      raw.expectReceipt(write.clone().setPlacement(2));
      raw.expectReceipt(raw.write(List.of(), List.of(raw.sign(before.name()))).setPlacement(7));
      // Copies of what is proven are carried by anybody, who waits for no other server.
      Record carried = raw.record(0, List.of(after.name()), "carried".getBytes(UTF_8));
      carrier.expectReceipt(carrier.write(List.of(carried), List.of(raw.sign(carried.name()))));
    }
  }

  private static List<Reply> superseded(Reply reply) {
    return reply.hasReceipt()
        ? reply.getReceipt().getIdsList().stream()
            .map(id ->
                Reply.newBuilder()
                    .setId(id)
                    .setError(Error.newBuilder().setCode(ErrorCode.SUPERSEDED.number()))
                    .build())
            .toList()
        : List.of(reply);
  }

  /** Trap: a server that says for ever that there is something newer delays nobody but itself. */
  @Test
  void aServerThatFalselySaysSupersededHoldsUpNobody() throws Exception {
    start(false);
    meddlers.get(0).replies(FencedWriterTest::superseded);
    WriterOptions hasty = PlacedFixture.each();
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = unseeing(replicas, hasty)) {
      for (int i = 0; i < 5; i++) {
        writer.append(("in spite of it " + i).getBytes(UTF_8));
        assertThat(replicated(writer).placement()).isEqualTo(old);
      }
      // With one more of them there are too few, and the writer says so in its own time.
      meddlers.get(1).replies(FencedWriterTest::superseded);
      writer.append("too few".getBytes(UTF_8));
      assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Unknown.class);
    }
  }

  /** What an old server signs before it knows of the move, though it names the same set. */
  private void signsAsOfVersionOne(int node) {
    meddlers
        .get(node)
        .alter(reply -> {
          if (!reply.hasHold()) {
            return reply;
          }
          try {
            Holding is = Holding.decode(reply.getHold().getAnswer().toByteArray());
            Holding was =
                Holding.sign(
                    nodes.get(node).nodeKey(),
                    is.capsule(),
                    is.salt(),
                    is.timeMillis(),
                    1,
                    is.count(),
                    is.digest());
            return reply.toBuilder()
                .setHold(HoldAnswer.newBuilder().setAnswer(Forgery.bytes(was.encode())))
                .build();
          } catch (ProofException e) {
            throw new AssertionError(e);
          }
        });
  }

  private Handover ask() throws ProofException {
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      return Handover.ask(reader.statements(true), 0);
    }
  }

  @Test
  void anOldServerCountsOnceItSignsAsOfTheNewestPlacement() throws Exception {
    start(false);
    Statement.Placement next = placement(2, 3, 4, 5);
    for (int i = 0; i < 6; i++) {
      declare(i, old, next);
    }
    signsAsOfVersionOne(0);
    signsAsOfVersionOne(1);
    Handover early = ask();
    assertThat(early.asked().stream().filter(early::mayStop)).hasSize(1);
    assertThat(early.over()).isFalse();
    try (Replicas replicas = Replicas.of(List.of(old, next));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      reader.lookEvery(1);
      meddlers.get(5).requests.clear();
      NodeFixture.eventually(
          "it has asked again and again what is held",
          () ->
              asks(reader)
                  && meddlers.get(5).requests.stream().filter(one -> one.hasHold()).count() >= 3);
      assertThat(reader.servers()).hasSize(6);
      meddlers.get(0).replies(List::of);
      meddlers.get(1).replies(List::of);
      NodeFixture.eventually(
          "the old servers are left", () -> asks(reader) && reader.servers().size() == 3);
    }
    assertThat(ask().over()).isTrue();
  }

  /** One that learned of the move behind its answer on unsigned records may have some. */
  @Test
  void anOldServerCountsOnceItWasAskedForUnsignedRecordsAsOfTheNewestPlacement() throws Exception {
    start(false);
    Statement.Placement next = placement(2, 3, 4, 5);
    for (int i = 0; i < 6; i++) {
      declare(i, old, next);
    }
    meddlers
        .get(0)
        .alter(reply -> {
          Reply.Builder altered = reply.toBuilder();
          if (reply.hasStatements()) {
            altered
                .getStatementsBuilder()
                .clearStatements()
                .addAllStatements(
                    reply.getStatements().getStatementsList().stream()
                        .filter(one -> !one.equals(Forgery.bytes(next.encode())))
                        .toList());
          }
          return altered.build();
        });
    Handover early = ask();
    assertThat(early.asked().stream().filter(early::mayStop)).hasSize(2);
    assertThat(early.over()).isFalse();
    meddlers.get(0).replies(List::of);
    assertThat(ask().over()).isTrue();
  }
}
