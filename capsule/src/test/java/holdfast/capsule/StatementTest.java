package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Statement.Erased;
import holdfast.capsule.Statement.Placement.Member;
import holdfast.crypto.ReaderKey;
import holdfast.crypto.SigningKey;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StatementTest {
  private final Fixture fixture = new Fixture(2);

  private Statement any(Gen gen) {
    return switch (gen.below(8)) {
      case 0 -> {
        int signer = gen.below(2);
        yield Statement.WriterSignature.sign(
            fixture.capsule, gen.hash(), signer, fixture.writers.get(signer));
      }
      case 1 -> erasure(gen, new Erased.OfRecord(gen.hash()));
      case 2 -> erasure(gen, new Erased.OfLeaf(gen.hash(), gen.below(Limits.LEAVES)));
      case 3 -> {
        long to = 1L + gen.below(1_000_000);
        yield Statement.Erasure.sign(
            fixture.capsule, to + 5, new Erased.OfTimes(to / 2, to), "", fixture.owner);
      }
      case 4 ->
          Statement.Grant.sign(
              fixture.capsule,
              gen.anyLong(),
              fixture.contentKey,
              Fixture.STRANGER.readerKey().publicHalf(),
              fixture.owner);
      case 5 -> placement(1 + gen.below(1000), members(gen, 1 + gen.below(4)));
      case 6 -> Release.sign(fixture.capsule, gen.anyLong(), 2L + gen.below(1000), fixture.owner);
      default ->
          Statement.Succession.sign(
              fixture.capsule,
              gen.anyLong(),
              gen.list(gen.below(5), gen::hash),
              gen.hash(),
              fixture.owner);
    };
  }

  private static List<Member> members(Gen gen, int count) {
    int first = gen.below(100);
    return IntStream.range(first, first + count)
        .mapToObj(i -> new Member(Fixture.key(i).verifyKey(), "host-" + gen.below(9) + ":" + i))
        .toList();
  }

  private Statement.Placement placement(long version, List<Member> members) {
    return Statement.Placement.sign(fixture.capsule, 5, version, members, fixture.owner);
  }

  private Statement erasure(Gen gen, Erased erased) {
    return Statement.Erasure.sign(
        fixture.capsule, gen.anyLong(), erased, gen.text(60), fixture.owner);
  }

  @Test
  void statementsHaveOneEncodingAndVerify() {
    Property.check(
        120,
        gen -> {
          Statement statement = any(gen);
          byte[] encoded = statement.encode();
          Statement read = Statement.decode(encoded);
          assertThat(read).isEqualTo(statement);
          assertThat(read.encode()).isEqualTo(encoded);
          assertThat(read.name()).isEqualTo(statement.name());
          read.verify(fixture.metadata);
        });
  }

  @Test
  void d9EveryChangeIsNoticed() {
    Property.check(
        12,
        gen -> {
          Statement statement = any(gen);
          byte[] encoded = statement.encode();
          Mutator.eachByteChanged(
              encoded,
              changed -> {
                try {
                  Statement read = Statement.decode(changed);
                  assertThat(read.encode()).isEqualTo(changed);
                  assertThat(read.name()).isNotEqualTo(statement.name());
                  if (read.capsule().equals(fixture.capsule)) {
                    Fixture.violates(Violation.BAD_SIGNATURE, () -> read.verify(fixture.metadata));
                  }
                } catch (ProofException refused) {
                  assertThat(refused.violation()).isEqualTo(Violation.MALFORMED);
                }
              });
          Mutator.eachLengthChanged(
              encoded, changed -> Fixture.violates(() -> Statement.decode(changed)));
        });
  }

  @Test
  void d9SignaturesByAnybodyElseAreRefused() {
    Gen gen = new Gen(0);
    Hash record = gen.hash();
    SigningKey writer = fixture.writers.getFirst();
    List<Statement> bad =
        List.of(
            Statement.WriterSignature.sign(fixture.capsule, record, 1, writer),
            Statement.WriterSignature.sign(fixture.capsule, record, 2, writer),
            Statement.WriterSignature.sign(fixture.capsule, record, 0, fixture.owner),
            Statement.Erasure.sign(fixture.capsule, 9, new Erased.OfRecord(record), "", writer),
            Statement.Grant.sign(
                fixture.capsule, 9, fixture.contentKey, writer.readerKey().publicHalf(), writer),
            Statement.Succession.sign(fixture.capsule, 9, List.of(), record, writer),
            Statement.Placement.sign(fixture.capsule, 9, 1, members(gen, 2), writer),
            Release.sign(fixture.capsule, 9, 2, writer));
    for (Statement statement : bad) {
      Fixture.violates(Violation.BAD_SIGNATURE, () -> statement.verify(fixture.metadata));
    }
  }

  @Test
  void theOwnersSignatureIsForOneKindOfStatementOnly() {
    // The same key, the same bytes: the tag alone tells what is signed.
    Statement.Succession real =
        Statement.Succession.sign(fixture.capsule, 9, List.of(), Hash.ZERO, fixture.owner);
    Statement.Erasure borrowed =
        new Statement.Erasure(
            fixture.capsule, 9, new Erased.OfRecord(Hash.ZERO), "", real.signature());
    Fixture.violates(Violation.BAD_SIGNATURE, () -> borrowed.verify(fixture.metadata));
  }

  @Test
  void anErasureReachesIntoThePastOnly() {
    assertThat(new Erased.OfTimes(5, 9).covers(5)).isTrue();
    assertThat(new Erased.OfTimes(5, 9).covers(8)).isTrue();
    assertThat(new Erased.OfTimes(5, 9).covers(9)).isFalse();
    assertThat(new Erased.OfTimes(5, 9).covers(4)).isFalse();
    for (Erased bad :
        List.of(new Erased.OfTimes(5, 5), new Erased.OfTimes(6, 5), new Erased.OfTimes(5, 11))) {
      assertThatThrownBy(() -> Statement.Erasure.sign(fixture.capsule, 10, bad, "", fixture.owner))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void finalHeadsHaveOneOrder() {
    Gen gen = new Gen(0);
    List<Hash> heads = gen.list(5, gen::hash);
    Statement one = Statement.Succession.sign(fixture.capsule, 1, heads, Hash.ZERO, fixture.owner);
    Statement two =
        Statement.Succession.sign(
            fixture.capsule, 1, gen.shuffled(heads), Hash.ZERO, fixture.owner);
    assertThat(one.encode()).isEqualTo(two.encode());
    // Two heads in the wrong order, or twice the same, in an otherwise valid encoding.
    byte[] encoded = one.encode();
    for (int from : new int[] {0, 1}) {
      byte[] bent = encoded.clone();
      System.arraycopy(encoded, 43 + 32, bent, 43, 32);
      System.arraycopy(encoded, 43 + 32 * from, bent, 43 + 32, 32);
      Fixture.violates(Violation.MALFORMED, () -> Statement.decode(bent));
    }
    assertThatThrownBy(() ->
            Statement.Succession.sign(
                fixture.capsule, 1, List.of(Hash.ZERO, Hash.ZERO), Hash.ZERO, fixture.owner))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void membersHaveOneOrderAndEachItsPlace() {
    Gen gen = new Gen(0);
    List<Member> members = members(gen, 5);
    byte[] encoded = placement(3, members).encode();
    assertThat(placement(3, gen.shuffled(members)).encode()).isEqualTo(encoded);
    // Two members in the wrong order, or twice the same, in an otherwise valid encoding.
    List<Member> sorted = placement(3, members).members();
    for (List<Member> bent :
        List.of(List.of(sorted.get(1), sorted.get(0)), List.of(sorted.get(0), sorted.get(0)))) {
      Encoder out = new Encoder().u8(5).hash(fixture.capsule).u64(5).u64(3).u16(bent.size());
      for (Member member : bent) {
        member.identity().encode(out);
        out.text16(member.address());
      }
      byte[] malformed = out.raw(new byte[64]).toBytes();
      Fixture.violates(Violation.MALFORMED, () -> Statement.decode(malformed));
    }
    Member one = sorted.getFirst();
    List<List<Member>> bad =
        List.of(
            List.of(), List.of(one, new Member(one.identity(), "elsewhere:1")), members(gen, 65));
    for (List<Member> some : bad) {
      assertThatThrownBy(() -> placement(1, some)).isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> placement(0, members)).isInstanceOf(IllegalArgumentException.class);
    assertThat(placement(1, members(gen, 64)).members()).hasSize(64);
    for (String address :
        List.of("", "host", "host:", ":1", "ho st:1", "host:123456", "host:1\n")) {
      assertThatThrownBy(() -> new Member(one.identity(), address))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void placementsHoldJointlyUntilTheyAreReleased() {
    Gen gen = new Gen(0);
    Statement.Placement one = placement(1, members(gen, 1));
    Statement.Placement two = placement(2, members(gen, 2));
    Statement.Placement three = placement(3, members(gen, 3));
    Release ofOne = Release.sign(fixture.capsule, 9, 2, fixture.owner);
    Release ofAll = Release.sign(fixture.capsule, 9, 3, fixture.owner);
    assertThat(Release.joint(List.of(three, one, two))).containsExactly(one, two, three);
    assertThat(Release.joint(List.of(three, ofOne, one, two))).containsExactly(two, three);
    assertThat(Release.joint(List.of(ofAll, three, ofOne, one, two))).containsExactly(three);
    assertThat(Release.complete(List.of(three, one, two))).isTrue();
    assertThat(Release.complete(List.of(three, one))).isFalse();
    assertThat(Release.complete(List.of(three, one, ofOne))).isFalse();
    assertThat(Release.complete(List.of(three, ofAll))).isTrue();
    // A release shows that there is a newer placement than those that are known.
    assertThat(Release.joint(List.of(one, two, ofAll))).containsExactly(two);
    assertThat(Release.complete(List.of(one, two, ofAll))).isFalse();
    assertThat(Release.joint(List.of(ofAll))).isEmpty();
    assertThatThrownBy(() -> Release.sign(fixture.capsule, 9, 1, fixture.owner))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void ofTwoPlacementsOfOneVersionTheSmallerNameHolds() {
    Gen gen = new Gen(3);
    for (int round = 0; round < 10; round++) {
      List<Statement.Placement> two =
          List.of(placement(4, members(gen, 2)), placement(4, members(gen, 3)));
      boolean first = two.get(0).name().compareTo(two.get(1).name()) < 0;
      Statement.Placement before = placement(3, members(gen, 1));
      List<Statement> all = new ArrayList<>(two);
      all.add(before);
      all.add(fixture.sign(fixture.header(gen, 0, List.of()), 0));
      assertThat(Statement.Placement.current(gen.shuffled(all))).isEqualTo(two.get(first ? 0 : 1));
    }
    assertThat(Statement.Placement.current(List.of())).isNull();
  }

  @Test
  void grantsOpenForTheirReaderOnly() throws ProofException {
    ReaderKey reader = Fixture.STRANGER.readerKey();
    Statement.Grant grant =
        Statement.Grant.sign(
            fixture.capsule, 1, fixture.contentKey, reader.publicHalf(), fixture.owner);
    grant.verify(fixture.metadata);
    assertThat(grant.open(reader)).isEqualTo(fixture.contentKey);
    Fixture.violates(Violation.BAD_SEAL, () -> grant.open(fixture.owner.readerKey()));
    // Taken to another capsule or epoch it does not open, whoever signed that.
    Fixture.violates(
        Violation.BAD_SEAL,
        () ->
            new Statement.Grant(
                    new Fixture(2, 1).capsule,
                    1,
                    0,
                    grant.reader(),
                    grant.sealedKey(),
                    grant.signature())
                .open(reader));
    Fixture.violates(
        Violation.BAD_SEAL,
        () ->
            new Statement.Grant(
                    fixture.capsule, 1, 1, grant.reader(), grant.sealedKey(), grant.signature())
                .open(reader));
    // Something else than a key, properly sealed.
    Bytes other =
        Bytes.wrap(
            reader
                .publicHalf()
                .seal(
                    new byte[31],
                    new holdfast.base.Encoder().hash(fixture.capsule).u32(0).toBytes()));
    Fixture.violates(
        Violation.BAD_SEAL,
        () ->
            new Statement.Grant(fixture.capsule, 1, 0, grant.reader(), other, grant.signature())
                .open(reader));
  }

  @Test
  void hugeOrUnknownStatementsAreRefused() {
    Fixture.violates(
        Violation.MALFORMED, () -> Statement.decode(new byte[Limits.STATEMENT_BYTES + 1]));
    for (int kind : new int[] {0, 6, 255}) {
      byte[] bytes = new byte[200];
      bytes[0] = (byte) kind;
      Fixture.violates(Violation.MALFORMED, () -> Statement.decode(bytes));
    }
  }
}
