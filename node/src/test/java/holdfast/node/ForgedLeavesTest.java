package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.node.Forgery.Leaf;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A server that gives other leaves than those asked for, or pretends that they were erased. */
class ForgedLeavesTest extends MaliciousServerTest {
  private static final int LEAVES = 13;
  private Hash name = Hash.ZERO;
  private Hash other = Hash.ZERO;

  @BeforeEach
  void writeRecords() throws Exception {
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults())) {
      name = writer.append(leaves());
      other = writer.append(leaves());
      writer.commitOrThrow();
    }
  }

  private static List<byte[]> leaves() {
    List<byte[]> leaves = new ArrayList<>();
    for (int i = 0; i < LEAVES; i++) {
      leaves.add(new byte[] {(byte) i});
    }
    return leaves;
  }

  private static List<ReadResult.LeafName> leavesOf(Hash record, int... indices) {
    List<ReadResult.LeafName> names = new ArrayList<>();
    for (int index : indices) {
      names.add(new ReadResult.LeafName(record, index));
    }
    return names;
  }

  private void expect(Violation violation, String words, UnaryOperator<Reply> forgery)
      throws ProofException {
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(forgery);
      List<ReadResult.LeafName> wanted = leavesOf(name, 3, 4, 12);
      refused(violation, words, () -> reader.readLeaves(wanted));
      assertThat(reader.cache().size()).isZero();
      meddler.replies(List::of);
      assertThat(reader.readLeaves(wanted))
          .allMatch(leaf -> leaf instanceof ReadResult.LeafResult.Proven);
    }
  }

  @Test
  void leavesSwapped() throws Exception {
    expect(
        Violation.WRONG_BODY,
        "is not the one that record",
        Forgery.leaves(leaves -> {
          Leaf first = leaves.get(0);
          leaves.set(0, new Leaf(leaves.get(1).sealed(), first.siblings()));
          return leaves;
        }));
  }

  @Test
  void leafIndexShifted() throws Exception {
    // The server answers for the leaf beside the one that was asked for.
    meddler.requests(request -> {
      if (!request.hasRead() || request.getRead().getLeaves().isEmpty()) {
        return List.of(request);
      }
      byte[] refs = request.getRead().getLeaves().toByteArray();
      refs[35] ^= 1;
      return List.of(
          request.toBuilder()
              .setRead(request.getRead().toBuilder().setLeaves(Forgery.bytes(refs)))
              .build());
    });
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      refused(
          Violation.WRONG_BODY,
          "leaf 3 is not the one that record",
          () -> reader.readLeaves(leavesOf(name, 3)));
    }
  }

  @Test
  void leafOfAnotherRecord() throws Exception {
    List<Leaf> stolen = new ArrayList<>();
    try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
      meddler.alter(
          Forgery.leaves(leaves -> {
            stolen.addAll(leaves);
            return leaves;
          }));
      reader.readLeaves(leavesOf(other, 3, 4, 12));
    }
    expect(Violation.WRONG_BODY, "is not the one that record", Forgery.leaves(leaves -> stolen));
  }

  @Test
  void pathThatEndsAtAnUnknownNode() throws Exception {
    expect(
        Violation.BROKEN_CHAIN,
        "ends at a node that was never verified here",
        Forgery.leaves(leaves -> {
          Leaf first = leaves.get(0);
          leaves.set(0, new Leaf(first.sealed(), first.siblings().subList(0, 2)));
          return leaves;
        }));
  }

  @Test
  void pathThatIsTooLong() throws Exception {
    expect(
        Violation.MALFORMED,
        "is too long",
        Forgery.leaves(leaves -> {
          Leaf first = leaves.get(0);
          List<Hash> siblings = new ArrayList<>(first.siblings());
          siblings.add(Hash.ZERO);
          leaves.set(0, new Leaf(first.sealed(), siblings));
          return leaves;
        }));
  }

  @Test
  void oversizedLengthOfALeaf() throws Exception {
    expect(
        Violation.MALFORMED,
        "where at most",
        Forgery.answers(answer -> {
          byte[] leaves = answer.getLeaves().toByteArray();
          leaves[0] = 0x7F;
          return answer.toBuilder().setLeaves(Forgery.bytes(leaves)).build();
        }));
  }

  @Test
  void unknownLeafStatus() throws Exception {
    expect(
        Violation.MALFORMED,
        "unknown status",
        Forgery.answers(answer ->
            answer.toBuilder()
                .setLeafStatuses(Forgery.bytes((byte) 0, (byte) 0, (byte) 7))
                .build()));
  }

  // ---- Erasure that never was -------------------------------------------------------------------

  private static UnaryOperator<Reply> leafErased(Statement... statements) {
    return Forgery.answers(answer -> {
      var forged =
          answer.toBuilder()
              .setLeafStatuses(Forgery.bytes((byte) 4, (byte) 4, (byte) 4))
              .clearLeaves();
      for (Statement statement : statements) {
        forged.addErasures(Forgery.bytes(statement.encode()));
      }
      return forged.build();
    });
  }

  private Statement erasure(Hash capsule, Statement.Erased what, boolean byOwner) {
    return Statement.Erasure.sign(capsule, 100, what, "", byOwner ? fixture.owner : fixture.second);
  }

  @Test
  void leafErasedWithoutAStatement() throws Exception {
    expect(Violation.MISSING, "shows no statement", leafErased());
  }

  @Test
  void leafErasedByAWriterWhoIsNotTheOwner() throws Exception {
    expect(
        Violation.BAD_SIGNATURE,
        "not by the key",
        leafErased(erasure(fixture.capsule, new Statement.Erased.OfRecord(name), false)));
  }

  @Test
  void leafErasedByAStatementAboutAnother() throws Exception {
    expect(
        Violation.MISSING,
        "leaves out leaf 4",
        leafErased(
            erasure(fixture.capsule, new Statement.Erased.OfLeaf(name, 3), true),
            erasure(fixture.capsule, new Statement.Erased.OfRecord(other), true),
            erasure(Hash.ZERO, new Statement.Erased.OfRecord(name), true),
            erasure(fixture.capsule, new Statement.Erased.OfTimes(0, 50), true)));
  }

  private void expectRecord(Violation violation, String words, UnaryOperator<Reply> forgery)
      throws ProofException {
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(forgery);
      refused(violation, words, () -> reader.read(name));
    }
  }

  private static UnaryOperator<Reply> recordErased(Statement... statements) {
    UnaryOperator<Reply> erase =
        Forgery.records(records -> {
          records.set(0, new Record(records.getFirst().header(), Record.State.ERASED, null));
          return records;
        });
    return reply ->
        erase
            .andThen(
                Forgery.answers(answer -> {
                  var forged = answer.toBuilder();
                  for (Statement statement : statements) {
                    forged.addErasures(Forgery.bytes(statement.encode()));
                  }
                  return forged.build();
                }))
            .apply(reply);
  }

  @Test
  void bodyErasedWithoutAStatement() throws Exception {
    expectRecord(Violation.MISSING, "no statement of the owner erases it", recordErased());
  }

  @Test
  void bodyErasedBySomebodyElse() throws Exception {
    expectRecord(
        Violation.BAD_SIGNATURE,
        "not by the key",
        recordErased(erasure(fixture.capsule, new Statement.Erased.OfRecord(name), false)));
  }

  @Test
  void bodyErasedWhereOnlyALeafWas() throws Exception {
    expectRecord(
        Violation.MISSING,
        "comes without its body",
        recordErased(erasure(fixture.capsule, new Statement.Erased.OfLeaf(name, 3), true)));
  }

  @Test
  void moreLeavesErasedThanTheOwnerErased() throws Exception {
    Statement statement = erasure(fixture.capsule, new Statement.Erased.OfLeaf(name, 3), true);
    UnaryOperator<Reply> forgery =
        Forgery.records(records -> {
          Record first = records.getFirst();
          var body = java.util.Objects.requireNonNull(first.body());
          records.set(
              0,
              new Record(
                  first.header(), Record.State.PARTLY_ERASED, body.erase(i -> i == 3 || i == 5)));
          return records;
        });
    expectRecord(
        Violation.MISSING,
        "comes without leaf 5",
        reply ->
            Forgery.answers(answer ->
                    answer.toBuilder().addErasures(Forgery.bytes(statement.encode())).build())
                .apply(forgery.apply(reply)));
  }

  @Test
  void whatTheOwnerErasedIsReportedAsErased() throws Exception {
    server.declare(erasure(fixture.capsule, new Statement.Erased.OfLeaf(name, 3), true));
    server.declare(erasure(fixture.capsule, new Statement.Erased.OfRecord(other), true));
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      assertThat(reader.read(name)).isInstanceOf(ReadResult.Erased.class);
      assertThat(reader.read(other)).isInstanceOf(ReadResult.Erased.class);
      var leaves = reader.readLeaves(leavesOf(name, 3, 4));
      assertThat(leaves.get(0))
          .isEqualTo(
              new ReadResult.LeafResult.Missing(
                  new ReadResult.LeafName(name, 3), ReadResult.LeafResult.Why.ERASED));
      assertThat(leaves.get(1)).isInstanceOf(ReadResult.LeafResult.Proven.class);
    }
  }
}
