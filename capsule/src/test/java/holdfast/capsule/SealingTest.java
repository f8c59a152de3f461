package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Secret;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Bodies, records in transport form, sealing and opening. */
class SealingTest {
  private final Fixture fixture = new Fixture(2);

  private Record record(Gen gen, int mostLeaves) {
    return fixture
        .sealer(gen, gen.below(2))
        .seal(
            Fixture.leaves(gen, gen.between(1, mostLeaves), 40),
            gen.anyLong(),
            gen.list(gen.below(3), gen::hash));
  }

  // ---- Sealing -------------------------------------------------------------------------------

  @Test
  void d8d33EveryLeafOpensAndIsCommittedTo() {
    Property.check(
        60,
        gen -> {
          List<byte[]> texts = Fixture.leaves(gen, gen.between(1, 20), 100);
          Record record = fixture.sealer(gen, 1).seal(texts, 42, List.of());
          record.expect(fixture.capsule, record.name());
          RecordHeader header = record.header();
          assertThat(header.writer()).isEqualTo(1);
          assertThat(header.leafCount()).isEqualTo(texts.size());
          assertThat(header.sealedSize())
              .isEqualTo(texts.stream().mapToLong(text -> text.length + 16L).sum());
          Body body = java.util.Objects.requireNonNull(record.body());
          assertThat(body.root()).isEqualTo(header.bodyRoot());
          byte[][] opened = fixture.opener().openAll(header, body);
          for (int i = 0; i < texts.size(); i++) {
            assertThat(opened[i]).isEqualTo(texts.get(i));
            assertThat(fixture.opener().open(header, i, body.leaf(i))).isEqualTo(texts.get(i));
          }
        });
  }

  @Test
  void d46EqualPlaintextsLookDifferent() {
    Gen gen = new Gen(0);
    byte[] text = new byte[32];
    Sealer one = fixture.sealer(gen, 0);
    Sealer two = fixture.sealer(gen, 0);
    Set<String> seen = new HashSet<>();
    Set<Hash> commitments = new HashSet<>();
    for (Sealer sealer : List.of(one, one, two, two)) {
      Record record = sealer.seal(List.of(text, text), 0, List.of());
      commitments.add(record.header().keyCommitment());
      for (int leaf = 0; leaf < 2; leaf++) {
        seen.add(java.util.HexFormat.of().formatHex(body(record).leaf(leaf)));
      }
    }
    assertThat(seen).hasSize(8);
    assertThat(commitments).as("each record has a key of its own").hasSize(4);
  }

  private static Body body(Record record) {
    return java.util.Objects.requireNonNull(record.body());
  }

  @Test
  void d36ARecordGivenUpBurnsItsCounter() throws ProofException {
    Sealer sealer = fixture.sealer(new Gen(0), 0);
    Sealer.Draft abandoned = sealer.begin();
    abandoned.seal(new byte[5]);
    assertThat(abandoned.leaves()).isEqualTo(1);
    Record next = sealer.seal(List.of(new byte[5]), 0, List.of());
    assertThat(next.header().counter()).isEqualTo(1);
    // Two drafts at once do not disturb each other.
    Sealer.Draft left = sealer.begin();
    Sealer.Draft right = sealer.begin();
    byte[] leftLeaf = left.seal(new byte[] {1});
    byte[] rightLeaf = right.seal(new byte[] {2});
    byte[] leftAgain = left.seal(new byte[] {3});
    Body leftBody = Body.of(new byte[][] {leftLeaf, leftAgain});
    Body rightBody = Body.of(new byte[][] {rightLeaf});
    RecordHeader leftHeader = left.header(leftBody.root(), 0, List.of());
    RecordHeader rightHeader = right.header(rightBody.root(), 0, List.of());
    assertThat(fixture.opener().open(leftHeader, 1, leftAgain)).containsExactly(3);
    assertThat(fixture.opener().open(rightHeader, 0, rightLeaf)).containsExactly(2);
  }

  @Test
  void anotherKeyOrEpochDoesNotOpen() {
    Record record = fixture.sealer(new Gen(0), 0).seal(List.of(new byte[9]), 0, List.of());
    RecordHeader header = record.header();
    byte[] sealed = body(record).leaf(0);
    ContentKey otherSecret = new ContentKey(0, Secret.copyOf(Fixture.filled(1, 32)));
    ContentKey otherEpoch = new ContentKey(1, fixture.contentKey.secret());
    Fixture.violates(
        Violation.BAD_SEAL,
        () -> new Opener(fixture.capsule, List.of(otherSecret)).open(header, 0, sealed));
    Opener later = new Opener(fixture.capsule, List.of(otherEpoch));
    assertThat(later.canOpen(header)).isFalse();
    Fixture.violates(Violation.BAD_SEAL, () -> later.open(header, 0, sealed));
    assertThat(new Opener(fixture.capsule, List.of(otherEpoch, fixture.contentKey)).canOpen(header))
        .isTrue();
    // The same secret in another epoch, or for another capsule, seals differently.
    Fixture.violates(
        Violation.BAD_SEAL,
        () ->
            new Opener(new Fixture(2, 1).capsule, List.of(fixture.contentKey))
                .open(header, 0, sealed));
    Record inEpochOne =
        new Sealer(fixture.capsule, 0, otherEpoch, header.salt())
            .seal(List.of(new byte[9]), 0, List.of());
    assertThat(inEpochOne.header().keyCommitment()).isNotEqualTo(header.keyCommitment());
  }

  @Test
  void leavesSwappedWithinOrBetweenRecordsDoNotOpen() {
    Sealer sealer = fixture.sealer(new Gen(0), 0);
    Record one = sealer.seal(List.of(new byte[9], new byte[9]), 0, List.of());
    Record two = sealer.seal(List.of(new byte[9], new byte[9]), 0, List.of());
    Opener opener = fixture.opener();
    Fixture.violates(Violation.BAD_SEAL, () -> opener.open(one.header(), 0, body(one).leaf(1)));
    Fixture.violates(Violation.BAD_SEAL, () -> opener.open(one.header(), 0, body(two).leaf(0)));
    Body swapped = Body.of(new byte[][] {body(one).leaf(1), body(one).leaf(0)});
    Fixture.violates(Violation.WRONG_BODY, () -> swapped.expect(one.header()));
    Fixture.violates(Violation.WRONG_BODY, () -> body(two).expect(one.header()));
  }

  /** GCM alone would let one ciphertext open under two keys; the commitment does not. */
  @Test
  void aKeyThatIsNotTheCommittedOneIsRefusedBeforeOpening() throws ProofException {
    Record record = fixture.sealer(new Gen(0), 0).seal(List.of(new byte[9]), 0, List.of());
    RecordHeader header = record.header();
    Secret key = fixture.opener().recordKey(header);
    byte[] other = key.expose();
    other[0] ^= 1;
    assertThatThrownBy(
            () -> Opener.openDisclosed(header, Secret.copyOf(other), 0, body(record).leaf(0)))
        .isInstanceOf(ProofException.class)
        .hasMessageContaining("commits to");
    // A header with another commitment: the right key is refused, too.
    RecordHeader bent =
        RecordHeader.of(
            header.capsule(),
            header.writer(),
            header.timeMillis(),
            header.epoch(),
            header.salt(),
            header.counter(),
            Hash.ZERO,
            header.bodyRoot(),
            1,
            header.sealedSize(),
            List.of());
    Fixture.violates(
        Violation.BAD_SEAL, () -> fixture.opener().open(bent, 0, body(record).leaf(0)));
    Fixture.violates(Violation.BAD_SEAL, () -> fixture.opener().recordKey(bent));
  }

  @Test
  void aDisclosedKeyOpensItsRecordAndNoOther() throws ProofException {
    Sealer sealer = fixture.sealer(new Gen(0), 0);
    Record one = sealer.seal(List.of(new byte[] {1}, new byte[] {2}), 0, List.of());
    Record two = sealer.seal(List.of(new byte[] {3}), 0, List.of());
    Secret key = fixture.opener().recordKey(one.header());
    assertThat(Opener.openDisclosed(one.header(), key, 0, body(one).leaf(0))).containsExactly(1);
    assertThat(Opener.openDisclosed(one.header(), key, 1, body(one).leaf(1))).containsExactly(2);
    Fixture.violates(
        Violation.BAD_SEAL, () -> Opener.openDisclosed(two.header(), key, 0, body(two).leaf(0)));
  }

  @Test
  void everyChangedByteOfASealedLeafIsRefused() throws Exception {
    Record record = fixture.sealer(new Gen(0), 0).seal(List.of(new byte[9]), 0, List.of());
    Opener opener = fixture.opener();
    Mutator.Target refused =
        changed ->
            Fixture.violates(Violation.BAD_SEAL, () -> opener.open(record.header(), 0, changed));
    Mutator.eachByteChanged(body(record).leaf(0), refused);
    Mutator.eachLengthChanged(body(record).leaf(0), refused);
  }

  @Test
  void manySessionsOpenInAnyOrder() {
    // More sessions than an opener remembers.
    Gen gen = new Gen(0);
    List<Record> records =
        gen.list(1100, () -> fixture.sealer(gen, 0).seal(List.of(new byte[] {7}), 0, List.of()));
    Opener opener = fixture.opener();
    for (Record record : gen.shuffled(new ArrayList<>(records))) {
      assertThatCode(opener, record);
    }
    assertThatCode(opener, records.getFirst());
  }

  private static void assertThatCode(Opener opener, Record record) {
    try {
      assertThat(opener.open(record.header(), 0, body(record).leaf(0))).containsExactly(7);
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  // ---- Bodies and transport ------------------------------------------------------------------

  @Test
  void recordsTravelAsTheyAre() {
    Property.check(
        60,
        gen -> {
          List<Record> records = new ArrayList<>();
          for (int i = gen.below(5); i > 0; i--) {
            Record record = record(gen, 6);
            int leaves = record.header().leafCount();
            records.add(
                switch (gen.below(4)) {
                  case 0 -> new Record(record.header(), Record.State.HEADER_ONLY, null);
                  case 1 -> new Record(record.header(), Record.State.ERASED, null);
                  case 2 -> {
                    int gone = gen.below(leaves);
                    yield new Record(
                        record.header(),
                        Record.State.PARTLY_ERASED,
                        body(record).erase(leaf -> leaf == gone || gen.oneIn(3)));
                  }
                  default -> record;
                });
          }
          byte[] encoded = Record.encodeAll(records);
          assertThat(encoded).hasSize(records.stream().mapToInt(Record::encodedSize).sum());
          List<Record> read = Record.readAll(encoded, records.size());
          assertThat(Record.encodeAll(read)).isEqualTo(encoded);
          for (int i = 0; i < read.size(); i++) {
            assertThat(read.get(i).header()).isEqualTo(records.get(i).header());
            assertThat(read.get(i).state()).isEqualTo(records.get(i).state());
            read.get(i).expect(fixture.capsule, records.get(i).name());
          }
          if (!records.isEmpty()) {
            Fixture.violates(
                Violation.MALFORMED, () -> Record.readAll(encoded, records.size() - 1));
          }
        });
  }

  @Test
  void d12EveryChangedByteOfARecordIsNoticed() {
    Property.check(
        4,
        gen -> {
          Record record = record(gen, 4);
          byte[] encoded = Record.encodeAll(List.of(record));
          Mutator.Target noticed =
              changed ->
                  Fixture.violates(() -> {
                    List<Record> read = Record.readAll(changed, 1);
                    assertThat(Record.encodeAll(read)).isEqualTo(changed);
                    if (read.isEmpty()) {
                      throw new ProofException(Violation.MISSING, "nothing is left");
                    }
                    read.getFirst().expect(fixture.capsule, record.name());
                  });
          Mutator.eachByteChanged(encoded, noticed);
          Mutator.eachLengthChanged(encoded, noticed);
        });
  }

  @Test
  void theLeavesOfAnErasedLeafsNeighboursStayProvable() {
    Property.check(
        40,
        gen -> {
          Record record = record(gen, 12);
          Body body = body(record);
          int gone = gen.below(body.leafCount());
          Body less = body.erase(leaf -> leaf == gone);
          assertThat(less.whole()).isFalse();
          assertThat(less.erased(gone)).isTrue();
          less.expect(record.header());
          assertThat(less.leafHashes()).isEqualTo(body.leafHashes());
          Body again = Body.decode(less.unsafeBytes().clone(), less.leafCount());
          assertThat(again.leafHashes()).isEqualTo(body.leafHashes());
          byte[][] opened = fixture.opener().openAll(record.header(), less);
          for (int i = 0; i < body.leafCount(); i++) {
            if (i == gone) {
              assertThat(opened[i]).isNull();
              assertThatThrownBy(() -> less.leaf(gone)).isInstanceOf(IllegalStateException.class);
            } else {
              assertThat(opened[i]).isNotNull();
            }
          }
          assertThat(less.erase(leaf -> true).leafHashes()).isEqualTo(body.leafHashes());
        });
  }

  @Test
  void bodiesThatLieAboutTheirLeavesAreRefused() {
    byte[] short15 = new Encoder().bytes32(new byte[15]).toBytes();
    Fixture.violates(Violation.MALFORMED, () -> Body.decode(short15, 1));
    byte[] huge = new Encoder().u32((16 << 20) + 1).toBytes();
    Fixture.violates(Violation.MALFORMED, () -> Body.decode(huge, 1));
    byte[] one = new Encoder().bytes32(new byte[16]).toBytes();
    Fixture.violates(Violation.MALFORMED, () -> Body.decode(one, 2));
    Fixture.violates(Violation.MALFORMED, () -> Body.decode(one, 1 << 20));
    Fixture.violates(Violation.MALFORMED, () -> Body.decode(new byte[0], 1));
  }

  @Test
  void statesAndBodiesAgree() {
    Gen gen = new Gen(0);
    Record whole = record(gen, 3);
    assertThatThrownBy(() -> new Record(whole.header(), Record.State.ERASED, whole.body()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Record(whole.header(), Record.State.WHOLE, null))
        .isInstanceOf(IllegalArgumentException.class);
    // A whole body in a record that claims to lack leaves, and the other way round.
    for (Record.State state : List.of(Record.State.WHOLE, Record.State.PARTLY_ERASED)) {
      Body body = state == Record.State.WHOLE ? body(whole).erase(leaf -> true) : body(whole);
      Encoder out = new Encoder();
      new Record(whole.header(), state, body).encode(out);
      byte[] lie = out.toBytes();
      Fixture.violates(Violation.MALFORMED, () -> Record.read(lie, new Decoder(lie, "record")));
    }
  }

  @Test
  void slicesAreTheTransportFormOfSomeLeaves() throws ProofException {
    Record record =
        fixture.sealer(new Gen(0), 0).seal(Fixture.leaves(new Gen(1), 10, 50), 0, List.of());
    Body body = body(record);
    Body middle = Body.decode(body.slice(3, 7), 4);
    for (int i = 0; i < 4; i++) {
      assertThat(middle.leaf(i)).isEqualTo(body.leaf(i + 3));
    }
    assertThat(body.slice(0, 10)).isEqualTo(body.unsafeBytes());
  }
}
