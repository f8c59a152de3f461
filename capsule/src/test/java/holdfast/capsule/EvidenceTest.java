package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.Violation;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import java.util.List;
import org.junit.jupiter.api.Test;

class EvidenceTest {
  private final Fixture fixture = new Fixture(1);
  private final Gen gen = new Gen(5);
  private final Hash record = gen.hash();
  private final Hash salt = gen.hash();

  private Receipt.Extract promised(Receipt.Level level, Receipt.Kind kind) {
    List<Receipt.Entry> entries =
        List.of(
            new Receipt.Entry(Receipt.Kind.WRITE, gen.hash(), Receipt.Outcome.PROVEN),
            new Receipt.Entry(kind, record, Receipt.Outcome.PROVEN));
    Receipt receipt = Receipt.sign(Fixture.SERVER, fixture.capsule, level, 10, entries);
    return Receipt.Extract.ofAll(receipt, entries).get(1);
  }

  private Evidence evidence(Receipt.Extract promised) {
    Hash nonce = Evidence.nonce(promised.receipt(), salt);
    // An earlier time: clocks play no part.
    return new Evidence(
        promised, salt, Absence.sign(Fixture.SERVER, fixture.capsule, nonce, 5, record));
  }

  @Test
  void aBrokenPromiseIsShownByTheFileAndEveryByteOfItCounts() throws Exception {
    for (Receipt.Kind kind : List.of(Receipt.Kind.WRITE, Receipt.Kind.SIGN)) {
      byte[] file = evidence(promised(Receipt.Level.SYNCED, kind)).encode();
      Evidence read = Evidence.verify(file);
      assertThat(read.denied().record()).isEqualTo(record);
      assertThat(read.encode()).isEqualTo(file);
      Mutator.eachByteChanged(file, changed -> Fixture.violates(() -> Evidence.verify(changed)));
      Mutator.eachLengthChanged(file, changed -> Fixture.violates(() -> Evidence.verify(changed)));
    }
  }

  @Test
  void whatWasNotPromisedIsNotBroken() {
    Fixture.violates(
        Violation.BAD_RECEIPT,
        () -> evidence(promised(Receipt.Level.RECEIVED, Receipt.Kind.WRITE)).verify());
    for (Receipt.Kind kind : List.of(Receipt.Kind.CREATE, Receipt.Kind.STATEMENT)) {
      Fixture.violates(
          Violation.BAD_RECEIPT, () -> evidence(promised(Receipt.Level.SYNCED, kind)).verify());
    }
  }

  @Test
  void anAnswerGivenBeforeTheReceiptOrToAnotherQuestionShowsNothing() {
    Receipt.Extract promised = promised(Receipt.Level.SYNCED, Receipt.Kind.WRITE);
    Hash nonce = Evidence.nonce(promised.receipt(), salt);
    List<Absence> others =
        List.of(
            // Over a nonce that is not made from the receipt: it may have come before.
            Absence.sign(Fixture.SERVER, fixture.capsule, salt, 20, record),
            Absence.sign(Fixture.SERVER, fixture.capsule, nonce, 20, gen.hash()),
            Absence.sign(Fixture.SERVER, gen.hash(), nonce, 20, record),
            Absence.sign(Fixture.STRANGER, fixture.capsule, nonce, 20, record));
    for (Absence other : others) {
      Fixture.violates(Violation.NOT_FRESH, () -> new Evidence(promised, salt, other).verify());
    }
    // Another receipt of the same server for the same record is another question.
    Receipt.Extract again = promised(Receipt.Level.SYNCED, Receipt.Kind.WRITE);
    Absence answer = Absence.sign(Fixture.SERVER, fixture.capsule, nonce, 20, record);
    Fixture.violates(Violation.NOT_FRESH, () -> new Evidence(again, salt, answer).verify());
  }
}
