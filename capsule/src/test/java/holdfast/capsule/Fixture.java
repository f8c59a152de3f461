package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** A capsule with the private keys of everyone around it. */
final class Fixture {
  static final SigningKey SERVER = key(0x51);
  static final SigningKey STRANGER = key(0x99);

  /** What a plan is told where every record can be read. */
  static final LongPredicate NONE_DAMAGED = arrival -> false;

  final SigningKey owner = key(0x01);
  final List<SigningKey> writers = new ArrayList<>();
  final Metadata metadata;
  final Hash capsule;
  final ContentKey contentKey = new ContentKey(0, Secret.copyOf(filled(0xC0, 32)));

  Fixture(int writerCount) {
    this(writerCount, 0);
  }

  /** Fixtures of different nonces differ in nothing but the capsule's name. */
  Fixture(int writerCount, int nonce) {
    List<Metadata.Writer> named = new ArrayList<>();
    for (int i = 0; i < writerCount; i++) {
      writers.add(key(0x10 + i));
      named.add(new Metadata.Writer(writers.get(i).verifyKey(), "writer " + i));
    }
    metadata =
        new Metadata(
            owner.verifyKey(),
            named,
            "a capsule",
            1_700_000_000_000L,
            "ask the owner",
            Bytes.wrap(filled(nonce, 16)),
            new TreeMap<>());
    capsule = metadata.name();
  }

  static byte[] filled(int value, int count) {
    byte[] bytes = new byte[count];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  static SigningKey key(int number) {
    return SigningKey.ofSeed(filled(number, 32));
  }

  /** A header of no body in particular. */
  RecordHeader header(Gen gen, int writer, List<Hash> pointers) {
    return RecordHeader.of(
        capsule,
        writer,
        gen.anyLong(),
        gen.below(4),
        gen.bytes(16),
        gen.anyLong(),
        gen.hash(),
        gen.hash(),
        1,
        16 + gen.below(1000),
        pointers);
  }

  Sealer sealer(Gen gen, int writer) {
    return new Sealer(capsule, writer, contentKey, gen.bytes(16));
  }

  Opener opener() {
    return new Opener(capsule, List.of(contentKey));
  }

  Statement.WriterSignature sign(RecordHeader header, int signer) {
    return Statement.WriterSignature.sign(capsule, header.name(), signer, writers.get(signer));
  }

  static List<byte[]> leaves(Gen gen, int count, int mostBytes) {
    return gen.list(count, () -> gen.bytesUpTo(mostBytes));
  }

  /** The action must end in this violation. */
  static void violates(Violation expected, ThrowingCallable action) {
    assertThatThrownBy(action)
        .isInstanceOfSatisfying(
            ProofException.class,
            e -> assertThat(e.violation()).as(e.getMessage()).isEqualTo(expected));
  }

  /** The action must end in some violation, and in no other exception. */
  static void violates(ThrowingCallable action) {
    assertThatThrownBy(action).isInstanceOf(ProofException.class);
  }
}
