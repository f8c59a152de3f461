package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Secret;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class OfflineProofTest {
  private final Fixture fixture = new Fixture(2);

  /** A chain by hand: the last record signed, each pointed at by the one before it in the proof. */
  private byte[] chain(List<RecordHeader> topDown, int signer) {
    Encoder out = new Encoder().u32(topDown.size());
    for (int i = 0; i < topDown.size(); i++) {
      out.raw(topDown.get(i).unsafeBytes());
      if (i == 0) {
        out.u8(0).u16(signer).raw(fixture.sign(topDown.getFirst(), signer).signature());
      } else {
        out.u8(1).u32(i - 1);
      }
    }
    return out.toBytes();
  }

  private record Case(Bytes file, Record target, int leaf, Bytes text) {}

  private Case any(Gen gen, int leaves, int above, boolean disclosed, int receipts)
      throws ProofException {
    Sealer sealer = fixture.sealer(gen, 0);
    List<byte[]> texts = Fixture.leaves(gen, leaves, 40);
    Record target = sealer.seal(texts, 5, List.of());
    List<RecordHeader> topDown = new ArrayList<>(List.of(target.header()));
    for (int i = 0; i < above; i++) {
      topDown.addFirst(fixture.header(gen, 0, List.of(topDown.getFirst().name())));
    }
    int leaf = gen.below(leaves);
    Body body = java.util.Objects.requireNonNull(target.body());
    Secret key = disclosed ? fixture.opener().recordKey(target.header()) : null;
    List<Receipt.Extract> extracts = new ArrayList<>();
    for (int i = 0; i < receipts; i++) {
      List<Receipt.Entry> entries =
          List.of(
              new Receipt.Entry(Receipt.Kind.WRITE, gen.hash(), Receipt.Outcome.UNPROVEN),
              new Receipt.Entry(Receipt.Kind.WRITE, target.name(), Receipt.Outcome.PROVEN));
      Receipt receipt =
          Receipt.sign(Fixture.SERVER, fixture.capsule, Receipt.Level.SYNCED, 7, entries);
      extracts.add(Receipt.Extract.ofAll(receipt, entries).get(1));
    }
    byte[] file =
        OfflineProof.encode(
            fixture.metadata, chain(topDown, 0), leafOf(body, leaf), key, extracts, null);
    return new Case(Bytes.wrap(file), target, leaf, Bytes.wrap(texts.get(leaf)));
  }

  private static OfflineProof.Leaf leafOf(Body body, int leaf) {
    return new OfflineProof.Leaf(
        leaf, Bytes.wrap(body.leaf(leaf)), Merkle.path(Merkle.levels(body.leafHashes()), leaf));
  }

  @Test
  void aProofNeedsNothingButItself() {
    Property.check(
        30,
        gen -> {
          boolean disclosed = gen.oneIn(2);
          int above = gen.below(5);
          int receipts = gen.below(3);
          Case made = any(gen, gen.between(1, 9), above, disclosed, receipts);
          assertThat(OfflineProof.looksLike(made.file().toArray())).isTrue();
          OfflineProof proof = OfflineProof.verify(made.file().toArray());
          assertThat(proof.metadata().name()).isEqualTo(fixture.capsule);
          assertThat(proof.header()).isEqualTo(made.target().header());
          assertThat(proof.voucher()).isEqualTo(new Voucher(0, true));
          assertThat(proof.chainLength()).isEqualTo(above + 1);
          assertThat(proof.receipts()).hasSize(receipts);
          assertThat(java.util.Objects.requireNonNull(proof.leaf()).index()).isEqualTo(made.leaf());
          assertThat(proof.content()).isEqualTo(disclosed ? made.text().toArray() : null);
        });
  }

  @Test
  void everyChangedByteAndEveryLengthIsAViolation() throws Exception {
    for (int variant = 0; variant < 3; variant++) {
      Gen gen = new Gen(variant);
      Case made = any(gen, 1 + 4 * variant, variant, variant != 1, variant % 2);
      Mutator.Target refused = changed -> Fixture.violates(() -> OfflineProof.verify(changed));
      Mutator.eachByteChanged(made.file().toArray(), refused);
      Mutator.eachLengthChanged(made.file().toArray(), refused);
    }
  }

  private byte[] encode(
      byte[] chain,
      OfflineProof.@Nullable Leaf leaf,
      @Nullable Secret key,
      List<Receipt.Extract> receipts) {
    return OfflineProof.encode(fixture.metadata, chain, leaf, key, receipts, null);
  }

  @Test
  void aRecordAloneCanBeProven() throws ProofException {
    RecordHeader header = fixture.header(new Gen(0), 0, List.of());
    OfflineProof proof =
        OfflineProof.verify(encode(chain(List.of(header), 1), null, null, List.of()));
    assertThat(proof.leaf()).isNull();
    assertThat(proof.recordKey()).isNull();
    assertThat(proof.content()).isNull();
    assertThat(proof.voucher()).as("claims writer 0, signed by 1").isEqualTo(new Voucher(1, false));
  }

  @Test
  void partsOfDifferentProofsDoNotFit() throws ProofException {
    Gen gen = new Gen(0);
    Sealer sealer = fixture.sealer(gen, 0);
    Record one = sealer.seal(List.of(new byte[3], new byte[4]), 0, List.of());
    Record two = sealer.seal(List.of(new byte[3], new byte[4]), 0, List.of());
    byte[] chain = chain(List.of(one.header()), 0);
    Body other = java.util.Objects.requireNonNull(two.body());
    Fixture.violates(
        Violation.WRONG_BODY,
        () -> OfflineProof.verify(encode(chain, leafOf(other, 0), null, List.of())));
    Secret otherKey = fixture.opener().recordKey(two.header());
    Fixture.violates(
        Violation.BAD_SEAL, () -> OfflineProof.verify(encode(chain, null, otherKey, List.of())));
    for (Hash capsule : List.of(fixture.capsule, new Fixture(1, 1).capsule)) {
      Hash record = capsule.equals(fixture.capsule) ? two.name() : one.name();
      List<Receipt.Entry> entries =
          List.of(new Receipt.Entry(Receipt.Kind.WRITE, record, Receipt.Outcome.PROVEN));
      Receipt receipt = Receipt.sign(Fixture.SERVER, capsule, Receipt.Level.SYNCED, 7, entries);
      Fixture.violates(
          Violation.BAD_RECEIPT,
          () ->
              OfflineProof.verify(
                  encode(chain, null, null, Receipt.Extract.ofAll(receipt, entries))));
    }
    // The metadata of another capsule, with the same keys.
    Fixture.violates(
        Violation.WRONG_CAPSULE,
        () ->
            OfflineProof.verify(
                OfflineProof.encode(
                    new Fixture(2, 1).metadata, chain, null, null, List.of(), null)));
  }

  @Test
  void theHeadersFormOneChainAndNothingElse() {
    Gen gen = new Gen(0);
    RecordHeader bottom = fixture.header(gen, 0, List.of());
    RecordHeader middle = fixture.header(gen, 0, List.of(bottom.name()));
    RecordHeader top = fixture.header(gen, 0, List.of(middle.name(), bottom.name()));
    byte[] good = chain(List.of(top, middle, bottom), 0);
    // The last link leads to the first header, which points at the target as well.
    byte[] shortcut = good.clone();
    shortcut[shortcut.length - 1] = 0;
    assertThat(shortcut).isNotEqualTo(good);
    Fixture.violates(
        Violation.BROKEN_CHAIN, () -> OfflineProof.verify(encode(shortcut, null, null, List.of())));
    Encoder signedTwice = new Encoder().u32(2);
    for (RecordHeader header : List.of(middle, bottom)) {
      signedTwice.raw(header.unsafeBytes()).u8(0).u16(0).raw(fixture.sign(header, 0).signature());
    }
    Fixture.violates(
        Violation.BROKEN_CHAIN,
        () -> OfflineProof.verify(encode(signedTwice.toBytes(), null, null, List.of())));
    byte[] known = new Encoder().u32(1).raw(bottom.unsafeBytes()).u8(2).toBytes();
    Fixture.violates(
        Violation.BROKEN_CHAIN, () -> OfflineProof.verify(encode(known, null, null, List.of())));
    byte[] none = new Encoder().u32(0).toBytes();
    Fixture.violates(
        Violation.MALFORMED, () -> OfflineProof.verify(encode(none, null, null, List.of())));
  }

  @Test
  void aPathThatIsCutShortIsNoProof() {
    Record record =
        fixture.sealer(new Gen(0), 0).seal(Fixture.leaves(new Gen(1), 4, 9), 0, List.of());
    OfflineProof.Leaf leaf = leafOf(java.util.Objects.requireNonNull(record.body()), 1);
    Fixture.violates(() ->
        OfflineProof.verify(
            encode(
                chain(List.of(record.header()), 0),
                new OfflineProof.Leaf(1, leaf.sealed(), leaf.path().subList(0, 1)),
                null,
                List.of())));
  }
}
