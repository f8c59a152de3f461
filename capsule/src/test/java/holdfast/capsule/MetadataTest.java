package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class MetadataTest {
  static Metadata any(Gen gen) {
    List<Metadata.Writer> writers = new ArrayList<>();
    for (int i = gen.between(1, 5); i > 0; i--) {
      writers.add(new Metadata.Writer(SigningKey.ofSeed(gen.bytes(32)).verifyKey(), gen.text(64)));
    }
    TreeMap<Integer, Bytes> extensions = new TreeMap<>();
    for (int i = gen.below(4); i > 0; i--) {
      extensions.put(gen.below(65536), Bytes.wrap(gen.bytesUpTo(40)));
    }
    return new Metadata(
        SigningKey.ofSeed(gen.bytes(32)).verifyKey(),
        writers,
        gen.text(200),
        gen.anyLong(),
        gen.text(100),
        Bytes.wrap(gen.bytes(16)),
        extensions);
  }

  @Test
  void d2HoldsKeysDescriptionTimeAndInstructions() {
    Property.check(
        100,
        MetadataTest::any,
        metadata -> {
          Metadata read = Metadata.decode(metadata.encode());
          assertThat(read).isEqualTo(metadata);
          assertThat(read.encode()).isEqualTo(metadata.encode());
          assertThat(read.name()).isEqualTo(metadata.name());
        });
  }

  @Test
  void d1EveryChangeGivesAnotherName() {
    Property.check(
        8,
        gen -> {
          Metadata metadata = any(gen);
          byte[] encoded = metadata.encode();
          Mutator.Target refusedOrRenamed =
              changed -> {
                try {
                  Metadata read = Metadata.decode(changed);
                  assertThat(read.encode()).isEqualTo(changed);
                  assertThat(read.name()).isNotEqualTo(metadata.name());
                } catch (ProofException refused) {
                  assertThat(refused.violation()).isEqualTo(Violation.MALFORMED);
                }
              };
          Mutator.eachByteChanged(encoded, refusedOrRenamed);
          Mutator.eachLengthChanged(
              encoded, changed -> Fixture.violates(() -> Metadata.decode(changed)));
        });
  }

  @Test
  void d1NamesDoNotRunFieldsTogether() {
    Fixture fixture = new Fixture(1);
    Metadata m = fixture.metadata;
    Metadata left = new Metadata(m.owner(), m.writers(), "ab", 0, "c", m.nonce(), m.extensions());
    Metadata right = new Metadata(m.owner(), m.writers(), "a", 0, "bc", m.nonce(), m.extensions());
    assertThat(left.name()).isNotEqualTo(right.name());
    assertThat(new Fixture(1, 1).capsule).isNotEqualTo(fixture.capsule);
  }

  @Test
  void d3SeveralWritersAreAuthorised() throws ProofException {
    Fixture fixture = new Fixture(4);
    for (int i = 0; i < 4; i++) {
      VerifyKey key = fixture.writers.get(i).verifyKey();
      assertThat(fixture.metadata.indexOf(key)).isEqualTo(i);
      assertThat(fixture.metadata.writerKey(i)).isEqualTo(key);
    }
    assertThat(fixture.metadata.indexOf(Fixture.STRANGER.verifyKey())).isEqualTo(-1);
    Fixture.violates(Violation.BAD_SIGNATURE, () -> fixture.metadata.writerKey(4));
    Fixture.violates(Violation.BAD_SIGNATURE, () -> fixture.metadata.writerKey(65535));
  }

  @Test
  void limitsHoldForWriterAndReaderAlike() throws ProofException {
    Metadata m = new Fixture(1).metadata;
    String longest = "x".repeat(Limits.DESCRIPTION_BYTES);
    Metadata largest =
        new Metadata(m.owner(), m.writers(), longest, 0, longest, m.nonce(), m.extensions());
    assertThat(Metadata.decode(largest.encode())).isEqualTo(largest);
    TreeMap<Integer, Bytes> bulky = new TreeMap<>();
    bulky.put(1, Bytes.wrap(new byte[Limits.EXTENSION_BYTES + 1]));
    TreeMap<Integer, Bytes> odd = new TreeMap<>();
    odd.put(65536, Bytes.EMPTY);
    TreeMap<Integer, Bytes> many = new TreeMap<>();
    for (int i = 0; i <= Limits.EXTENSIONS; i++) {
      many.put(i, Bytes.EMPTY);
    }
    Metadata.Writer writer = m.writers().getFirst();
    List<Metadata.Writer> wordy =
        List.of(new Metadata.Writer(writer.key(), "x".repeat(Limits.LABEL_BYTES + 1)));
    List<Runnable> tooMuch =
        List.of(
            () -> of(m, List.of(), "", 0, "", m.nonce(), new TreeMap<>()),
            () -> of(m, List.of(writer, writer), "", 0, "", m.nonce(), new TreeMap<>()),
            () -> of(m, wordy, "", 0, "", m.nonce(), new TreeMap<>()),
            () -> of(m, m.writers(), longest + "x", 0, "", m.nonce(), new TreeMap<>()),
            () -> of(m, m.writers(), "", -1, "", m.nonce(), new TreeMap<>()),
            () -> of(m, m.writers(), "", 0, longest + "x", m.nonce(), new TreeMap<>()),
            () -> of(m, m.writers(), "", 0, "", Bytes.EMPTY, new TreeMap<>()),
            () -> of(m, m.writers(), "", 0, "", m.nonce(), bulky),
            () -> of(m, m.writers(), "", 0, "", m.nonce(), odd),
            () -> of(m, m.writers(), "", 0, "", m.nonce(), many));
    for (int i = 0; i < tooMuch.size(); i++) {
      assertThatThrownBy(tooMuch.get(i)::run)
          .as("case " + i)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void extensionsHaveOneOrder() throws ProofException {
    Metadata m = new Fixture(1).metadata;
    TreeMap<Integer, Bytes> two = new TreeMap<>();
    two.put(5, Bytes.EMPTY);
    two.put(6, Bytes.EMPTY);
    Metadata metadata = new Metadata(m.owner(), m.writers(), "", 0, "", m.nonce(), two);
    byte[] encoded = metadata.encode();
    assertThat(Metadata.decode(encoded)).isEqualTo(metadata);
    // Types 5 and 6, in 2 bytes each with an empty value behind it, are the end of the encoding.
    for (int second : new int[] {5, 4, 0}) {
      byte[] bent = encoded.clone();
      bent[bent.length - 3] = (byte) second;
      Fixture.violates(Violation.MALFORMED, () -> Metadata.decode(bent));
    }
  }

  private static void of(
      Metadata m,
      List<Metadata.Writer> writers,
      String description,
      long created,
      String instructions,
      Bytes nonce,
      SortedMap<Integer, Bytes> extensions) {
    assertThat(
            new Metadata(m.owner(), writers, description, created, instructions, nonce, extensions))
        .isNotNull();
  }

  @Test
  void creationIsSignedByTheOwnerAlone() throws ProofException {
    Fixture fixture = new Fixture(1);
    byte[] signature = fixture.metadata.signCreation(fixture.owner);
    fixture.metadata.verifyCreation(signature);
    assertThatThrownBy(() -> fixture.metadata.signCreation(Fixture.STRANGER))
        .isInstanceOf(IllegalArgumentException.class);
    Fixture.violates(
        Violation.BAD_SIGNATURE, () -> new Fixture(1, 1).metadata.verifyCreation(signature));
  }

  // ---- Record headers ------------------------------------------------------------------------

  static RecordHeader anyHeader(Gen gen, Hash capsule) {
    int leaves = gen.between(1, 2000);
    return RecordHeader.of(
        capsule,
        gen.below(65536),
        gen.anyLong(),
        (int) (gen.anyLong() & Integer.MAX_VALUE),
        gen.bytes(16),
        gen.anyLong(),
        gen.hash(),
        gen.hash(),
        leaves,
        16L * leaves + gen.below(1 << 20),
        gen.list(gen.oneIn(4) ? gen.below(40) : gen.below(4), gen::hash));
  }

  @Test
  void d6HeadersHoldCapsuleBodyRootAndAnyNumberOfBackpointers() {
    Property.check(
        200,
        gen -> {
          Hash capsule = gen.hash();
          Hash commitment = gen.hash();
          Hash root = gen.hash();
          byte[] salt = gen.bytes(16);
          long time = gen.anyLong();
          long counter = gen.anyLong();
          List<Hash> pointers = gen.list(gen.pick(List.of(0, 1, 2, 15, 16, 17, 256)), gen::hash);
          RecordHeader header =
              RecordHeader.of(
                  capsule, 65535, time, 7, salt, counter, commitment, root, 3, 4711, pointers);
          RecordHeader read = RecordHeader.decode(header.unsafeBytes().clone());
          assertThat(read).isEqualTo(header).hasSameHashCodeAs(header);
          assertThat(read.name()).isEqualTo(header.name());
          assertThat(read.capsule()).isEqualTo(capsule);
          assertThat(read.isOf(capsule)).isTrue();
          assertThat(read.isOf(gen.hash())).isFalse();
          assertThat(read.writer()).isEqualTo(65535);
          assertThat(read.timeMillis()).isEqualTo(time);
          assertThat(read.epoch()).isEqualTo(7);
          assertThat(read.salt()).isEqualTo(salt);
          assertThat(read.counter()).isEqualTo(counter);
          assertThat(read.keyCommitment()).isEqualTo(commitment);
          assertThat(read.bodyRoot()).isEqualTo(root);
          assertThat(read.leafCount()).isEqualTo(3);
          assertThat(read.sealedSize()).isEqualTo(4711);
          assertThat(read.pointers()).isEqualTo(pointers);
          assertThat(read.size()).isEqualTo(149 + 32 * pointers.size());
          for (Hash pointer : pointers) {
            assertThat(read.pointsAt(pointer)).isTrue();
          }
          assertThat(read.pointsAt(gen.hash())).isFalse();
        });
  }

  @Test
  void d6EveryChangeOfAHeaderGivesAnotherName() {
    Property.check(
        8,
        gen -> {
          RecordHeader header = anyHeader(gen, gen.hash());
          byte[] encoded = header.unsafeBytes();
          Mutator.eachByteChanged(
              encoded,
              changed -> {
                try {
                  RecordHeader read = RecordHeader.decode(changed);
                  assertThat(read.unsafeBytes()).isEqualTo(changed);
                  assertThat(read.name()).isNotEqualTo(header.name());
                  Fixture.violates(
                      Violation.WRONG_NAME, () -> read.expect(header.capsule(), header.name()));
                } catch (ProofException refused) {
                  assertThat(refused.violation()).isEqualTo(Violation.MALFORMED);
                }
              });
          Mutator.eachLengthChanged(
              encoded, changed -> Fixture.violates(() -> RecordHeader.decode(changed)));
        });
  }

  @Test
  void headersThatClaimTheImpossibleAreRefused() {
    Property.check(
        30,
        gen -> {
          Hash twin = gen.hash();
          List<Hash> pointers = new ArrayList<>(gen.list(gen.between(0, 40), gen::hash));
          pointers.add(gen.below(pointers.size() + 1), twin);
          pointers.add(gen.below(pointers.size() + 1), twin);
          refusedHeader(gen, 1, 16, pointers);
          refusedHeader(gen, 0, 0, List.of());
          refusedHeader(gen, 2, 31, List.of());
          refusedHeader(gen, Limits.LEAVES + 1, Limits.BODY_BYTES, List.of());
          refusedHeader(gen, 1, Limits.BODY_BYTES + 1L, List.of());
          refusedHeader(gen, 1, 16, gen.list(Limits.BACKPOINTERS + 1, gen::hash));
        });
  }

  private static void refusedHeader(Gen gen, int leaves, long sealed, List<Hash> pointers) {
    assertThatThrownBy(() ->
            RecordHeader.of(
                gen.hash(),
                0,
                0,
                0,
                gen.bytes(16),
                0,
                gen.hash(),
                gen.hash(),
                leaves,
                sealed,
                pointers))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void headersAreReadOutOfALargerBuffer() {
    Property.check(
        20,
        gen -> {
          RecordHeader header = anyHeader(gen, gen.hash());
          byte[] buffer = new byte[header.size() + 14];
          System.arraycopy(header.unsafeBytes(), 0, buffer, 7, header.size());
          Decoder in = new Decoder(buffer, "buffer");
          in.skip(7);
          assertThat(RecordHeader.read(buffer, in)).isEqualTo(header);
          assertThat(in.remaining()).isEqualTo(7);
        });
  }

  @Test
  void aHeaderOfAnotherCapsuleIsNotTakenForThisOne() {
    Fixture here = new Fixture(1);
    Fixture there = new Fixture(1, 1);
    RecordHeader header = there.header(new Gen(0), 0, List.of());
    Fixture.violates(Violation.WRONG_CAPSULE, () -> header.expect(here.capsule, header.name()));
  }
}
