package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Statement.Erased;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class BundleTest {
  private final Fixture fixture = new Fixture(2);
  private final Bundle.Head head =
      new Bundle.Head(
          fixture.metadata, holdfast.base.Bytes.wrap(fixture.metadata.signCreation(fixture.owner)));

  /** Records, statements and what is announced: a bundle in its parts. */
  private record Parts(List<byte[]> statements, List<byte[]> frames, int records) {
    Bundle.Verifier verify(Bundle.Head head) throws ProofException {
      Bundle.Verifier verifier = new Bundle.Verifier(head);
      for (byte[] statement : statements) {
        verifier.statement(statement.clone());
      }
      for (byte[] frame : frames) {
        verifier.frame(frame.clone());
      }
      verifier.finish(records);
      return verifier;
    }
  }

  private Parts any(Gen gen, int records) {
    Backpointers pointers = new Backpointers(new Backpointers.Strategy.Skip(), List.of());
    Sealer sealer = fixture.sealer(gen, 0);
    List<Record> made = new ArrayList<>();
    for (int i = 0; i < records; i++) {
      made.add(sealer.seal(Fixture.leaves(gen, gen.between(1, 4), 20), i, pointers.next()));
      pointers.appended(made.getLast().name());
    }
    List<byte[]> frames = new ArrayList<>();
    for (int from = 0; from < records; from += 3) {
      frames.add(Record.encodeAll(made.subList(from, Math.min(records, from + 3))));
    }
    byte[] signature = fixture.sign(made.getLast().header(), 0).encode();
    return new Parts(List.of(signature), frames, records);
  }

  @Test
  void aBundleIsCompleteWithWhatVerifiesIt() {
    Property.check(
        20,
        gen -> {
          int records = gen.between(1, 12);
          Parts parts = any(gen, records);
          Bundle.Verifier verifier = parts.verify(head);
          assertThat(verifier.graph().size()).isEqualTo(records);
          assertThat(verifier.graph().provenCount()).isEqualTo(records);
          assertThat(verifier.signatures()).isEqualTo(1);
          assertThat(verifier.erased()).isZero();
          assertThat(verifier.leaves()).isGreaterThanOrEqualTo(records);
          assertThat(verifier.sealedBytes()).isGreaterThanOrEqualTo(16L * verifier.leaves());
        });
  }

  @Test
  void theHeadIsSignedByTheOwner() throws Exception {
    byte[] encoded = head.encode();
    assertThat(Arrays.copyOf(encoded, 8)).isEqualTo(Bundle.MAGIC.toArray());
    byte[] metadata = fixture.metadata.encode();
    byte[] signature = head.creationSignature().toArray();
    assertThat(Bundle.Head.of(metadata, signature)).isEqualTo(head);
    Mutator.eachByteChanged(
        metadata, changed -> Fixture.violates(() -> Bundle.Head.of(changed, signature)));
    Mutator.eachLengthChanged(
        metadata, changed -> Fixture.violates(() -> Bundle.Head.of(changed, signature)));
    Mutator.eachByteChanged(
        signature, changed -> Fixture.violates(() -> Bundle.Head.of(metadata, changed)));
    Mutator.eachLengthChanged(
        signature, changed -> Fixture.violates(() -> Bundle.Head.of(metadata, changed)));
  }

  @Test
  void everyChangedByteOfEveryPartIsAViolation() throws Exception {
    Parts parts = any(new Gen(0), 4);
    for (int part = 0; part < parts.statements().size() + parts.frames().size(); part++) {
      int which = part;
      Mutator.Target refused =
          changed -> {
            List<byte[]> statements = new ArrayList<>(parts.statements());
            List<byte[]> frames = new ArrayList<>(parts.frames());
            if (which < statements.size()) {
              statements.set(which, changed);
            } else {
              frames.set(which - statements.size(), changed);
            }
            Fixture.violates(() -> new Parts(statements, frames, parts.records()).verify(head));
          };
      byte[] original =
          which < parts.statements().size()
              ? parts.statements().get(which)
              : parts.frames().get(which - parts.statements().size());
      Mutator.eachByteChanged(original, refused);
      Mutator.eachLengthChanged(original, refused);
    }
  }

  @Test
  void whatIsAnnouncedIsThereOnceAndProven() {
    Parts parts = any(new Gen(0), 7);
    List<byte[]> signature = parts.statements();
    List<byte[]> frames = parts.frames();
    refused(Violation.MALFORMED, new Parts(signature, frames, 6));
    refused(Violation.MALFORMED, new Parts(signature, frames, 8));
    refused(Violation.BROKEN_CHAIN, new Parts(List.of(), frames, 7));
    refused(Violation.MISSING, new Parts(signature, frames.subList(0, 2), 6));
    refused(Violation.BROKEN_CHAIN, new Parts(signature, List.of(frames.get(0), frames.get(2)), 4));
    refused(Violation.MALFORMED, new Parts(signature, List.of(frames.get(0), frames.get(0)), 6));
    refused(
        Violation.MALFORMED,
        new Parts(List.of(signature.getFirst(), signature.getFirst()), frames, 7));
    refused(Violation.MALFORMED, new Parts(signature, List.of(new byte[0]), 0));
  }

  private void refused(Violation violation, Parts parts) {
    Fixture.violates(violation, () -> parts.verify(head));
  }

  @Test
  void whatBelongsToAnotherCapsuleIsRefused() {
    Fixture elsewhere = new Fixture(2, 1);
    Record foreign = elsewhere.sealer(new Gen(0), 0).seal(List.of(new byte[3]), 0, List.of());
    byte[] theirSignature = elsewhere.sign(foreign.header(), 0).encode();
    byte[] theirFrame = Record.encodeAll(List.of(foreign));
    refused(Violation.WRONG_CAPSULE, new Parts(List.of(theirSignature), List.of(), 0));
    refused(Violation.WRONG_CAPSULE, new Parts(List.of(), List.of(theirFrame), 1));
    byte[] relabelled =
        Statement.WriterSignature.sign(
                fixture.capsule, foreign.name(), 0, fixture.writers.getFirst())
            .encode();
    refused(Violation.WRONG_CAPSULE, new Parts(List.of(relabelled), List.of(theirFrame), 1));
  }

  // ---- Erasures ------------------------------------------------------------------------------

  private byte[] erasure(Erased erased) {
    return Statement.Erasure.sign(fixture.capsule, 1000, erased, "asked for", fixture.owner)
        .encode();
  }

  @Test
  void aBodyIsLeftOutOnlyWhereTheOwnerErasedIt() throws ProofException {
    Record whole =
        fixture
            .sealer(new Gen(0), 0)
            .seal(List.of(new byte[1], new byte[2], new byte[3]), 50, List.of());
    Hash name = whole.name();
    byte[] signature = fixture.sign(whole.header(), 0).encode();
    Record gone = new Record(whole.header(), Record.State.ERASED, null);
    Record headerOnly = new Record(whole.header(), Record.State.HEADER_ONLY, null);
    Record partly =
        new Record(
            whole.header(),
            Record.State.PARTLY_ERASED,
            java.util.Objects.requireNonNull(whole.body()).erase(leaf -> leaf > 0));
    Erased.OfLeaf one = new Erased.OfLeaf(name, 1);
    Erased.OfLeaf two = new Erased.OfLeaf(name, 2);
    Erased.OfTimes before = new Erased.OfTimes(0, 50);
    Erased.OfTimes within = new Erased.OfTimes(50, 51);
    Erased.OfRecord all = new Erased.OfRecord(name);
    Erased.OfRecord another = new Erased.OfRecord(fixture.capsule);
    accepted(signature, gone, all);
    accepted(signature, gone, within);
    accepted(signature, gone, one, two, new Erased.OfLeaf(name, 0));
    accepted(signature, partly, one, two);
    accepted(signature, partly, all);
    accepted(signature, whole, before);
    unexplained(signature, gone);
    unexplained(signature, gone, before, another, one, two);
    unexplained(signature, partly, one);
    unexplained(signature, partly, new Erased.OfLeaf(name, 0), two);
    refused(
        Violation.MALFORMED,
        new Parts(
            List.of(signature, erasure(all)), List.of(Record.encodeAll(List.of(headerOnly))), 1));
  }

  private Parts parts(byte[] signature, Record record, Erased... erased) {
    List<byte[]> statements = new ArrayList<>(List.of(signature));
    for (Erased one : erased) {
      statements.add(erasure(one));
    }
    return new Parts(statements, List.of(Record.encodeAll(List.of(record))), 1);
  }

  private void accepted(byte[] signature, Record record, Erased... erased) throws ProofException {
    Bundle.Verifier verifier = parts(signature, record, erased).verify(head);
    assertThat(verifier.erased()).isEqualTo(record.state() == Record.State.WHOLE ? 0 : 1);
  }

  private void unexplained(byte[] signature, Record record, Erased... erased) {
    refused(Violation.MISSING, parts(signature, record, erased));
  }

  // ---- Increments ----------------------------------------------------------------------------

  private Record sealed(int content, Hash... pointers) {
    return fixture
        .sealer(new Gen(content), 0)
        .seal(List.of(new byte[] {(byte) content}), content, List.of(pointers));
  }

  private static Record link(Record record) {
    return new Record(record.header(), Record.State.HEADER_ONLY, null);
  }

  private Bundle.Head since(Hash... base) {
    return new Bundle.Head(
        head.metadata(), head.creationSignature(), List.of(Hash.sortedDistinct(List.of(base))));
  }

  private Parts parts(List<byte[]> statements, Record... records) {
    return new Parts(statements, List.of(Record.encodeAll(List.of(records))), records.length);
  }

  @Test
  void anIncrementIsProvenByWhatIsInIt() throws Exception {
    Record base = sealed(1);
    Record middle = sealed(2, base.name());
    Record top = sealed(3, middle.name());
    byte[] signature = fixture.sign(top.header(), 0).encode();
    byte[] older = fixture.sign(base.header(), 0).encode();
    Bundle.Verifier verifier = parts(List.of(signature), middle, top).verify(since(base.name()));
    assertThat(verifier.records()).isEqualTo(2);
    assertThat(verifier.links()).isZero();
    // Of the base a signature may be there, and shows nothing of what is new.
    parts(List.of(signature, older), middle, top).verify(since(base.name()));
    Fixture.violates(
        Violation.BROKEN_CHAIN,
        () -> parts(List.of(older), middle, top).verify(since(base.name())));
    Fixture.violates(
        Violation.BROKEN_CHAIN, () -> parts(List.of(), middle, top).verify(since(base.name())));
    Fixture.violates(
        Violation.MALFORMED,
        () -> parts(List.of(signature), base, middle, top).verify(since(base.name())));
  }

  @Test
  void aLinkIsProvenAndLeadsToSomething() throws Exception {
    Record late = sealed(1);
    Record middle = sealed(2, late.name());
    Record top = sealed(3, middle.name());
    Record stray = sealed(4);
    byte[] signature = fixture.sign(top.header(), 0).encode();
    Bundle.Head since = since(top.name());
    Bundle.Verifier verifier =
        parts(List.of(signature), late, link(middle), link(top)).verify(since);
    assertThat(verifier.records()).isEqualTo(1);
    assertThat(verifier.links()).isEqualTo(2);
    assertThat(verifier.leaves()).isEqualTo(1);
    assertThat(verifier.isLink(0)).isFalse();
    assertThat(verifier.isLink(1)).isTrue();
    Fixture.violates(
        Violation.BROKEN_CHAIN, () -> parts(List.of(signature), late, link(middle)).verify(since));
    Fixture.violates(
        Violation.MALFORMED,
        () ->
            parts(
                    List.of(signature, fixture.sign(stray.header(), 0).encode()),
                    late,
                    link(middle),
                    link(top),
                    link(stray))
                .verify(since));
    refused(Violation.MALFORMED, parts(List.of(signature), late, link(middle), link(top)));
  }

  @Test
  void theBaseStandsInOrderAndBeforeEverything() throws Exception {
    Hash one = sealed(1).name();
    Hash two = sealed(2).name();
    Bundle.Head since = since(one, two);
    byte[] encoded = since.encode();
    assertThat(Arrays.copyOf(encoded, 8)).isEqualTo(Bundle.INCREMENT_MAGIC.toArray());
    byte[] names = Arrays.copyOfRange(encoded, encoded.length - 64, encoded.length);
    assertThat(head.withBase(names)).isEqualTo(since);
    byte[] swapped = new byte[64];
    System.arraycopy(names, 0, swapped, 32, 32);
    System.arraycopy(names, 32, swapped, 0, 32);
    Fixture.violates(Violation.MALFORMED, () -> head.withBase(swapped));
    byte[] twice = names.clone();
    System.arraycopy(names, 0, twice, 32, 32);
    Fixture.violates(Violation.MALFORMED, () -> head.withBase(twice));
    Fixture.violates(Violation.MALFORMED, () -> head.withBase(new byte[0]));
    Mutator.eachLengthChanged(
        names,
        changed -> {
          if (changed.length % Hash.SIZE != 0) {
            Fixture.violates(() -> head.withBase(changed));
          }
        });
    Fixture.violates(
        () -> Bundle.Head.baseCount(new holdfast.base.Encoder().u32((1 << 20) + 1).toBytes()));
  }
}
