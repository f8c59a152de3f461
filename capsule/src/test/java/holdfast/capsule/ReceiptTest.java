package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Receipt.Entry;
import holdfast.capsule.Receipt.Kind;
import holdfast.capsule.Receipt.Level;
import holdfast.capsule.Receipt.Outcome;
import holdfast.crypto.VerifyKey;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What servers sign: receipts and answers about freshness; and what writers sign to them. */
class ReceiptTest {
  private final Fixture fixture = new Fixture(1);
  private final VerifyKey server = Fixture.SERVER.verifyKey();

  private static List<Entry> entries(Gen gen, int count) {
    return gen.list(
        count,
        () ->
            new Entry(
                gen.pick(List.of(Kind.values())), gen.hash(), gen.pick(List.of(Outcome.values()))));
  }

  private Receipt receipt(Level level, List<Entry> entries) {
    return Receipt.sign(Fixture.SERVER, fixture.capsule, level, 1234, entries);
  }

  @Test
  void d10AReceiptCoversItsBatch() {
    Property.check(
        40,
        gen -> {
          List<Entry> entries = entries(gen, gen.between(1, 20));
          Receipt receipt = receipt(Level.SYNCED, entries);
          Receipt read = Receipt.decode(receipt.encode());
          assertThat(read).isEqualTo(receipt);
          assertThat(read.encode()).isEqualTo(receipt.encode());
          read.verify(server, fixture.capsule, Level.SYNCED, entries);
          read.verify(server, fixture.capsule, Level.RECEIVED, entries);
        });
  }

  private void refused(Receipt receipt, List<Entry> entries) {
    Fixture.violates(
        Violation.BAD_RECEIPT,
        () -> receipt.verify(server, fixture.capsule, Level.SYNCED, entries));
  }

  @Test
  void d10AReceiptIsBoundToServerCapsuleLevelAndOperations() {
    Property.check(
        20,
        gen -> {
          List<Entry> entries = entries(gen, gen.between(2, 9));
          Receipt good = receipt(Level.SYNCED, entries);
          refused(receipt(Level.RECEIVED, entries), entries);
          refused(
              Receipt.sign(Fixture.STRANGER, fixture.capsule, Level.SYNCED, 1, entries), entries);
          refused(
              Receipt.sign(Fixture.SERVER, new Fixture(1, 1).capsule, Level.SYNCED, 1, entries),
              entries);
          refused(good, entries.subList(1, entries.size()));
          refused(good, entries(gen, entries.size()));
          refused(good, List.of());
          List<Entry> longer = new ArrayList<>(entries);
          longer.add(entries.getLast());
          refused(good, longer);
          List<Entry> turned = new ArrayList<>(entries.reversed());
          refused(good, turned);
          int at = gen.below(entries.size());
          Entry entry = entries.get(at);
          List<Entry> bent = new ArrayList<>(entries);
          bent.set(
              at, new Entry(after(entry.kind(), Kind.values()), entry.name(), entry.outcome()));
          refused(good, bent);
          bent.set(
              at, new Entry(entry.kind(), entry.name(), after(entry.outcome(), Outcome.values())));
          refused(good, bent);
          // A level raised after signing.
          Receipt low = receipt(Level.RECEIVED, entries);
          refused(
              new Receipt(
                  low.server(),
                  low.capsule(),
                  Level.SYNCED,
                  low.timeMillis(),
                  low.size(),
                  low.root(),
                  low.signature()),
              entries);
          // The tree's inner node passed off as its only leaf.
          refused(
              new Receipt(
                  good.server(),
                  good.capsule(),
                  good.level(),
                  good.timeMillis(),
                  1,
                  good.root(),
                  good.signature()),
              entries);
        });
  }

  private static <T> T after(T value, T[] all) {
    return all[(List.of(all).indexOf(value) + 1) % all.length];
  }

  @Test
  void numbersInReceiptsNeverChange() {
    assertThat(List.of(Level.values())).extracting(Level::number).containsExactly(0, 1);
    assertThat(List.of(Kind.values())).extracting(Kind::number).containsExactly(0, 1, 2, 3);
    assertThat(List.of(Outcome.values())).extracting(Outcome::number).containsExactly(0, 1, 2);
    for (Outcome outcome : Outcome.values()) {
      assertThat(outcomeOf(outcome.number())).isEqualTo(outcome);
    }
    Fixture.violates(Violation.MALFORMED, () -> Outcome.of(3));
  }

  private static Outcome outcomeOf(int number) {
    try {
      return Outcome.of(number);
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void everyChangeOfAReceiptIsNoticed() throws Exception {
    List<Entry> entries = entries(new Gen(0), 5);
    byte[] encoded = receipt(Level.SYNCED, entries).encode();
    Mutator.Target noticed =
        changed ->
            Fixture.violates(() -> {
              Receipt read = Receipt.decode(changed);
              assertThat(read.encode()).isEqualTo(changed);
              read.verify(server, fixture.capsule, Level.RECEIVED, entries);
            });
    Mutator.eachByteChanged(encoded, noticed);
    Mutator.eachLengthChanged(encoded, noticed);
  }

  @Test
  void anExtractShowsOneOperationOfABatch() {
    Property.check(
        30,
        gen -> {
          List<Entry> entries = entries(gen, gen.between(1, 12));
          Receipt receipt = receipt(Level.SYNCED, entries);
          List<Receipt.Extract> extracts = Receipt.Extract.ofAll(receipt, entries);
          assertThat(extracts).hasSameSizeAs(entries);
          for (int i = 0; i < entries.size(); i++) {
            Receipt.Extract extract = extracts.get(i);
            extract.verify();
            assertThat(extract.entry()).isEqualTo(entries.get(i));
            byte[] encoded = encode(extract);
            Decoder in = new Decoder(encoded, "extract");
            assertThat(Receipt.Extract.read(in)).isEqualTo(extract);
            in.end();
            if (i > 0) {
              Entry other = entries.get(i - 1);
              Fixture.violates(
                  Violation.BAD_RECEIPT,
                  () ->
                      new Receipt.Extract(receipt, other, extract.index(), extract.path())
                          .verify());
            }
          }
          Receipt.Extract one = gen.pick(extracts);
          Mutator.eachByteChanged(
              encode(one),
              changed ->
                  Fixture.violates(() -> {
                    Decoder in = new Decoder(changed, "extract");
                    Receipt.Extract read = Receipt.Extract.read(in);
                    in.end();
                    assertThat(encode(read)).isEqualTo(changed);
                    read.verify();
                  }));
        });
  }

  private static byte[] encode(Receipt.Extract extract) {
    Encoder out = new Encoder();
    extract.encode(out);
    return out.toBytes();
  }

  @Test
  void anExtractWithAForgedServerKeyIsRefused() {
    List<Entry> entries = entries(new Gen(0), 3);
    Receipt good = receipt(Level.SYNCED, entries);
    Receipt forged =
        new Receipt(
            Fixture.STRANGER.verifyKey(),
            good.capsule(),
            good.level(),
            good.timeMillis(),
            good.size(),
            good.root(),
            good.signature());
    Fixture.violates(
        Violation.BAD_RECEIPT, () -> Receipt.Extract.ofAll(forged, entries).getFirst().verify());
  }

  // ---- Freshness -----------------------------------------------------------------------------

  private Freshness fresh(Gen gen, Hash nonce) {
    return Freshness.sign(
        Fixture.SERVER,
        fixture.capsule,
        nonce,
        gen.anyLong(),
        gen.anyLong(),
        gen.list(gen.below(4), gen::hash),
        gen.list(gen.below(4), gen::hash));
  }

  @Test
  void d22OfMoreHeadsThanFitTheAnswerSaysSo() throws Exception {
    Gen gen = new Gen(5);
    List<Hash> full = gen.list(Limits.HEADS, gen::hash);
    List<Hash> over = new ArrayList<>(full);
    over.add(gen.hash());
    Hash nonce = gen.hash();
    Freshness fits = Freshness.sign(Fixture.SERVER, fixture.capsule, nonce, 1, 9000, full, full);
    assertThat(fits.moreHeads() || fits.moreTips()).isFalse();
    for (boolean heads : new boolean[] {true, false}) {
      Freshness answer =
          Freshness.sign(
              Fixture.SERVER,
              fixture.capsule,
              nonce,
              1,
              9000,
              heads ? over : full,
              heads ? full : over);
      Freshness read = Freshness.decode(answer.encode());
      assertThat(read).isEqualTo(answer);
      read.verify(server, fixture.capsule, nonce);
      assertThat(read.heads()).isEqualTo(full);
      assertThat(read.tips()).isEqualTo(full);
      assertThat(read.moreHeads()).isEqualTo(heads);
      assertThat(read.moreTips()).isEqualTo(!heads);
      // Whoever carries the answer cannot take the flag away, nor add it.
      Freshness bent =
          new Freshness(
              server,
              fixture.capsule,
              nonce,
              1,
              9000,
              full,
              full,
              !heads,
              heads,
              answer.signature());
      Fixture.violates(Violation.NOT_FRESH, () -> bent.verify(server, fixture.capsule, nonce));
    }
    // There can be more than are listed only when as many are listed as may be.
    byte[] few =
        Freshness.sign(Fixture.SERVER, fixture.capsule, nonce, 1, 2, List.of(nonce), List.of())
            .encode();
    Encoder key = new Encoder();
    server.encode(key);
    byte[] lying = few.clone();
    lying[key.size() + 2 * Hash.SIZE + 16] |= (byte) 0x80;
    Fixture.violates(Violation.MALFORMED, () -> Freshness.decode(lying));
  }

  @Test
  void d22FreshnessAnswersOneQuestion() {
    Property.check(
        12,
        gen -> {
          Hash nonce = gen.hash();
          Freshness answer = fresh(gen, nonce);
          Freshness read = Freshness.decode(answer.encode());
          assertThat(read).isEqualTo(answer);
          read.verify(server, fixture.capsule, nonce);
          Fixture.violates(
              Violation.NOT_FRESH, () -> read.verify(server, fixture.capsule, gen.hash()));
          Fixture.violates(
              Violation.NOT_FRESH, () -> read.verify(server, new Fixture(1, 1).capsule, nonce));
          Fixture.violates(
              Violation.NOT_FRESH,
              () -> read.verify(Fixture.STRANGER.verifyKey(), fixture.capsule, nonce));
          // Heads moved among the tips keep the bytes of the names, not the meaning.
          Freshness moved =
              new Freshness(
                  server,
                  fixture.capsule,
                  nonce,
                  answer.timeMillis(),
                  answer.records() + 1,
                  /* heads= */ answer.tips(),
                  /* tips= */ answer.heads(),
                  answer.moreHeads(),
                  answer.moreTips(),
                  answer.signature());
          Fixture.violates(Violation.NOT_FRESH, () -> moved.verify(server, fixture.capsule, nonce));
          Mutator.Target noticed =
              changed ->
                  Fixture.violates(() -> {
                    Freshness bent = Freshness.decode(changed);
                    assertThat(bent.encode()).isEqualTo(changed);
                    bent.verify(server, fixture.capsule, nonce);
                  });
          Mutator.eachByteChanged(answer.encode(), noticed);
          Mutator.eachLengthChanged(answer.encode(), noticed);
        });
  }

  @Test
  void aReceiptIsNoAnswerAboutFreshnessAndTheOtherWayRound() {
    Gen gen = new Gen(0);
    Hash nonce = gen.hash();
    List<Entry> entries = entries(gen, 1);
    Receipt receipt = receipt(Level.SYNCED, entries);
    Freshness answer = fresh(gen, nonce);
    Freshness borrowed =
        new Freshness(
            server,
            fixture.capsule,
            nonce,
            answer.timeMillis(),
            answer.records(),
            answer.heads(),
            answer.tips(),
            answer.moreHeads(),
            answer.moreTips(),
            receipt.signature());
    Fixture.violates(Violation.NOT_FRESH, () -> borrowed.verify(server, fixture.capsule, nonce));
  }

  // ---- Possession ----------------------------------------------------------------------------

  @Test
  void possessionIsShownToOneServerInOneSession() throws ProofException {
    Gen gen = new Gen(0);
    Hash client = gen.hash();
    Hash challenge = gen.hash();
    VerifyKey writer = fixture.writers.getFirst().verifyKey();
    byte[] proof =
        Possession.prove(
            fixture.writers.getFirst(), server, fixture.capsule, client, challenge, null);
    Possession.verify(writer, server, fixture.capsule, client, challenge, null, proof);
    // Relayed: a dishonest server passes the challenge of another one on.
    VerifyKey victim = Fixture.STRANGER.verifyKey();
    Fixture.violates(
        Violation.BAD_SIGNATURE,
        () -> Possession.verify(writer, victim, fixture.capsule, client, challenge, null, proof));
    Fixture.violates(
        Violation.BAD_SIGNATURE,
        () ->
            Possession.verify(
                writer, server, new Fixture(1, 1).capsule, client, challenge, null, proof));
    Fixture.violates(
        Violation.BAD_SIGNATURE,
        () ->
            Possession.verify(writer, server, fixture.capsule, gen.hash(), challenge, null, proof));
    Fixture.violates(
        Violation.BAD_SIGNATURE,
        () -> Possession.verify(writer, server, fixture.capsule, client, gen.hash(), null, proof));
    Fixture.violates(
        Violation.BAD_SIGNATURE,
        () -> Possession.verify(writer, server, fixture.capsule, challenge, client, null, proof));
    Fixture.violates(
        Violation.BAD_SIGNATURE,
        () -> Possession.verify(server, server, fixture.capsule, client, challenge, null, proof));
  }
}
