package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchTest {
  private static Operation put(long sequence) {
    return new Operation.Put(sequence, 5, "home", "k" + sequence, "", Octets.EMPTY);
  }

  private static Claim claim(long first, long last, int operations, Range... ranges) {
    return new Claim(
        Fixture.KEY.publicKey(),
        Fixture.INCARNATION,
        first,
        last,
        List.of(ranges),
        operations,
        Octets.wrap(new byte[32]));
  }

  @Test
  void whatIsEncodedComesBackAndVerifies() {
    Property.check(
        50,
        gen -> {
          Batch batch = Fixture.batch(gen);
          assertThat(Batch.decode(batch.encode())).isEqualTo(batch);
          assertThat(batch.verifies()).isTrue();
        });
  }

  /** Root and signature cover every byte: whatever still decodes does not verify. */
  @Test
  void noByteOfABatchCanBeChanged() throws Exception {
    byte[] encoded = Fixture.batch(new holdfast.testkit.Gen(3)).encode();
    Mutator.eachByteChanged(
        encoded,
        changed -> {
          boolean verifies;
          try {
            verifies = Batch.decode(changed).verifies();
          } catch (MalformedException refused) {
            verifies = false;
          }
          assertThat(verifies).isFalse();
        });
  }

  @Test
  void aClaimMustAddUp() {
    Range collapsed = new Range(Reason.COLLAPSED, 3, 4);
    assertThat(claim(1, 4, 2, collapsed).ranges()).containsExactly(collapsed);
    assertThatThrownBy(() -> claim(1, 5, 2, collapsed)).hasMessageContaining("leave 3");
    assertThatThrownBy(() -> claim(1, 3, 2, collapsed)).hasMessageContaining("outside");
    assertThatThrownBy(() -> claim(4, 5, 1, collapsed)).hasMessageContaining("overlaps");
    assertThatThrownBy(() -> claim(3, 5, 0, collapsed, new Range(Reason.COLLAPSED, 5, 5)))
        .hasMessageContaining("touch");
    assertThat(claim(3, 5, 0, collapsed, new Range(Reason.DROPPED, 5, 5)).operations()).isZero();
    assertThatThrownBy(() -> claim(0, 5, 6)).hasMessageContaining("0 to 5");
  }

  /** Where a range ends with the last number of all there is no next one to compare with. */
  @Test
  void rangesThatEndWithTheLastNumberOfAllDoNotOverflow() {
    long most = Long.MAX_VALUE;
    Range two = new Range(Reason.COLLAPSED, 1, 2);
    Range rest = new Range(Reason.DROPPED, 3, most);
    Range all = new Range(Reason.DROPPED, 1, most);
    assertThatThrownBy(() -> claim(1, most, 2, rest, all, all, two))
        .hasMessageContaining("overlaps");
    assertThatThrownBy(() -> claim(1, most, 2, rest, two)).hasMessageContaining("overlaps");
    assertThat(claim(1, most, 0, two, rest).ranges()).containsExactly(two, rest);
    assertThat(claim(1, most, 2, rest).operations()).isEqualTo(2);
    assertThatThrownBy(() -> claim(1, most, 1, rest)).hasMessageContaining("leave 2");
  }

  /** A claim is accepted exactly when every number lies in one range or is one operation's. */
  @Test
  void aClaimCoversEachNumberOnce() {
    int[] accepted = new int[2];
    Property.check(
        2000,
        gen -> {
          long base = gen.pick(List.of(1L, 1000L, Long.MAX_VALUE - 7));
          int[] times = new int[8];
          boolean ascends = true;
          long before = base - 1;
          Range[] ranges = new Range[gen.between(0, 4)];
          for (int i = 0; i < ranges.length; i++) {
            // Mostly behind the one before, so that many claims are right.
            int behind = (int) Math.min(7, before - base + 1);
            int from = gen.between(!gen.oneIn(10) ? behind : 0, 7);
            int to = gen.between(from, Math.min(7, from + 3));
            ranges[i] =
                new Range(i % 2 == 0 ? Reason.EXPIRED : Reason.DROPPED, base + from, base + to);
            ascends &= base + from > before;
            before = base + to;
            for (int at = from; at <= to; at++) {
              times[at]++;
            }
          }
          int uncovered = (int) Arrays.stream(times).filter(n -> n == 0).count();
          int operations = !gen.oneIn(5) ? uncovered : gen.between(0, 8);
          boolean exact =
              ascends && operations == uncovered && Arrays.stream(times).allMatch(n -> n <= 1);
          boolean taken;
          try {
            claim(base, base + 7, operations, ranges);
            taken = true;
          } catch (IllegalArgumentException refused) {
            taken = false;
          }
          assertThat(taken).as(Arrays.toString(ranges) + " and " + operations).isEqualTo(exact);
          accepted[taken ? 1 : 0]++;
        });
    assertThat(accepted[0]).isGreaterThan(100);
    assertThat(accepted[1]).isGreaterThan(100);
  }

  @Test
  void anOperationOutOfItsPlaceIsRefused() {
    List<Range> ranges = List.of(new Range(Reason.EXPIRED, 2, 2));
    assertThat(batch(ranges, put(1), put(3)).operations()).hasSize(2);
    assertThatThrownBy(() -> batch(ranges, put(1), put(2))).hasMessageContaining("room for 3");
    assertThatThrownBy(() -> batch(ranges, put(3), put(1))).hasMessageContaining("room for 1");
    assertThatThrownBy(() -> batch(ranges, put(1), put(1))).hasMessageContaining("room for 3");
  }

  private static Batch batch(List<Range> ranges, Operation... operations) {
    return Batch.sign(Fixture.KEY, Fixture.INCARNATION, 1, 3, ranges, Arrays.asList(operations));
  }

  /** A count that promises more than the bytes that follow must cost nothing. */
  @Test
  void countsAreCheckedBeforeAnythingIsAllocated() {
    byte[] claim = claim(1, 4, 2, new Range(Reason.COLLAPSED, 3, 4)).encode();
    ByteBuffer.wrap(claim).putInt(64, Claim.MAX_ITEMS);
    assertThatThrownBy(() -> Claim.decode(claim)).hasMessageContaining("no room for them");
    ByteBuffer.wrap(claim).putInt(64, Claim.MAX_ITEMS + 1);
    assertThatThrownBy(() -> Claim.decode(claim)).hasMessageContaining("more than 4096");
    assertThatThrownBy(() -> Batch.decode(new byte[Batch.MAX_BYTES + 1]))
        .isInstanceOf(MalformedException.class)
        .hasMessageContaining("more than");
    byte[] put = put(7).encode();
    ByteBuffer.wrap(put).putInt(put.length - 4, Operation.MAX_VALUE_BYTES + 1);
    assertThatThrownBy(() -> Operation.decode(put)).hasMessageContaining("more than 1048576");
  }

  @Test
  void theRulesOfTextsAreKept() {
    String longest = "ä".repeat(Operation.MAX_KEY_BYTES / 2);
    assertThat(new Operation.Delete(1, 0, "0.a_b-c", longest).key()).isEqualTo(longest);
    for (String key : List.of("", longest + "a", "\uD83D", "\uDE80\uD83D")) {
      assertThatThrownBy(() -> new Operation.Delete(1, 0, "home", key))
          .isInstanceOf(IllegalArgumentException.class);
    }
    for (String space : List.of("", ".a", "A", "a b", "a".repeat(65))) {
      assertThatThrownBy(() -> new Operation.Delete(1, 0, space, "k"))
          .isInstanceOf(IllegalArgumentException.class);
    }
    for (String type : List.of("a\n", "ä", "a".repeat(256))) {
      assertThatThrownBy(() -> new Operation.Put(1, 0, "home", "k", type, Octets.EMPTY))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  /** RFC 8032, section 7.1, tests 1 and 2: the public half is derived as everybody derives it. */
  @Test
  void keysAreThoseOfTheRfc() {
    assertThat(publicOf("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        .isEqualTo("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assertThat(publicOf("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
        .isEqualTo("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  }

  private static String publicOf(String seed) {
    return DeviceKey.ofSeed(Octets.parseHex(seed).toArray()).publicKey().toHex();
  }

  @Test
  void aKeyIsKeptAsPem() {
    DeviceKey key = DeviceKey.generate(new SecureRandom());
    assertThat(DeviceKey.parsePem(key.toPem()).publicKey()).isEqualTo(key.publicKey());
    assertThat(key.toString()).doesNotContain(key.toPem().lines().toList().get(1));
    assertThatThrownBy(() -> DeviceKey.parsePem("-----BEGIN PRIVATE KEY-----\nAAAA\n"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() ->
            DeviceKey.parsePem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
        .hasMessageContaining("Ed25519");
  }

  /** With a key of small order one signature would hold for many messages. */
  @Test
  void keysOfSmallOrderAndForeignSignaturesDoNotVerify() {
    byte[] message = {1, 2, 3};
    Octets signature = Fixture.KEY.sign(Tag.ENROL, message);
    Octets key = Fixture.KEY.publicKey();
    assertThat(DeviceKey.verifies(key, Tag.ENROL, message, signature)).isTrue();
    assertThat(DeviceKey.verifies(key, Tag.BATCH, message, signature)).isFalse();
    assertThat(DeviceKey.verifies(key, Tag.ENROL, new byte[] {1, 2}, signature)).isFalse();
    byte[] neutral = new byte[32];
    neutral[0] = 1;
    byte[] forged = new byte[64];
    forged[0] = 1;
    assertThat(DeviceKey.verifies(Octets.wrap(neutral), Tag.ENROL, message, Octets.wrap(forged)))
        .isFalse();
    byte[] shifted = signature.toArray();
    addOrder(shifted);
    assertThat(DeviceKey.verifies(key, Tag.ENROL, message, Octets.wrap(shifted))).isFalse();
  }

  /** Adds the group order to the second half, which gives the same point. */
  private static void addOrder(byte[] signature) {
    byte[] order =
        Octets.parseHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
            .toArray();
    int carry = 0;
    for (int i = 0; i < 32; i++) {
      int sum = (signature[32 + i] & 0xFF) + (order[i] & 0xFF) + carry;
      signature[32 + i] = (byte) sum;
      carry = sum >>> 8;
    }
  }
}
