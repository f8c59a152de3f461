package holdfast.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The canonical encoding: one encoding per value, everything else refused. */
class CodingTest {
  private interface Read {
    Object from(Decoder in) throws ProofException;
  }

  private static Decoder decoder(int... bytes) {
    byte[] array = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      array[i] = (byte) bytes[i];
    }
    return new Decoder(array, "thing");
  }

  private static void refused(Decoder in, Read read) {
    int before = in.position();
    assertThatThrownBy(() -> read.from(in))
        .isInstanceOfSatisfying(
            ProofException.class, e -> assertThat(e.violation()).isEqualTo(Violation.MALFORMED))
        .hasMessageStartingWith("thing ");
    assertThat(in.position()).isGreaterThanOrEqualTo(before);
  }

  @Test
  void layoutIsBigEndianAndLengthPrefixed() {
    Encoder out = new Encoder(1).u8(0xFE).u16(0x0102).u32(0x03040506).u64(0x0708090A0B0C0D0EL);
    out.bytes16(new byte[] {1}).bytes32(new byte[] {2}).text16("ä").raw(Bytes.utf8("x"));
    assertThat(Bytes.wrap(out.toBytes()).toHex())
        .isEqualTo(
            "fe"
                + "0102"
                + "03040506"
                + "0708090a0b0c0d0e"
                + "000101"
                + "0000000102"
                + "0002c3a4"
                + "78");
    assertThat(out.size()).isEqualTo(out.toBytes().length);
  }

  @Test
  void whatIsWrittenIsReadBack() throws ProofException {
    SplittableRandom random = new SplittableRandom(1);
    for (int round = 0; round < 500; round++) {
      int small = random.nextInt(256);
      int medium = random.nextInt(65536);
      int large = random.nextInt() >>> (1 + random.nextInt(31));
      long huge = random.nextLong() >>> (1 + random.nextInt(63));
      byte[] some = new byte[random.nextInt(300)];
      random.nextBytes(some);
      Hash hash = Hash.of(bytes(random, 32));
      byte[] bytes =
          new Encoder()
              .u8(small)
              .u16(medium)
              .u32(large)
              .u64(huge)
              .hash(hash)
              .bytes16(some)
              .bytes32(some)
              .text16("text €")
              .raw(some)
              .toBytes();
      Decoder in = new Decoder(bytes, "thing");
      assertThat(in.u8()).isEqualTo(small);
      assertThat(in.u16()).isEqualTo(medium);
      assertThat(in.u32(Integer.MAX_VALUE)).isEqualTo(large);
      assertThat(in.u64()).isEqualTo(huge);
      assertThat(in.hash()).isEqualTo(hash);
      assertThat(in.bytes16(300)).isEqualTo(some);
      assertThat(in.bytes32(300)).isEqualTo(some);
      assertThat(in.text16(100)).isEqualTo("text €");
      assertThat(in.remaining()).isEqualTo(some.length);
      assertThat(in.raw(some.length)).isEqualTo(some);
      in.end();
    }
  }

  private static byte[] bytes(SplittableRandom random, int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  @Test
  void inputThatEndsEarlyIsRefused() {
    refused(decoder(), Decoder::u8);
    refused(decoder(1), Decoder::u16);
    refused(decoder(0, 0, 1), in -> in.u32(9));
    refused(decoder(0, 0, 0, 0, 0, 0, 1), Decoder::u64);
    refused(new Decoder(new byte[31], "thing"), Decoder::hash);
    refused(decoder(1, 2), in -> in.raw(3));
    refused(decoder(0, 2, 7), in -> in.bytes16(9));
    refused(decoder(0, 0, 0, 2, 7), in -> in.bytes32(9));
    refused(decoder(1, 2), in -> in.skip(3));
    refused(decoder(1, 2), in -> in.skip(-1));
    // The end of a part is the end, whatever stands behind it.
    refused(new Decoder(new byte[10], 2, 3, "thing"), in -> in.u32(9));
  }

  @Test
  void numbersAndLengthsBeyondTheirLimitAreRefused() throws ProofException {
    assertThat(decoder(0, 0, 0, 9).u32(9)).isEqualTo(9);
    refused(decoder(0, 0, 0, 10), in -> in.u32(9));
    refused(decoder(0x80, 0, 0, 0), in -> in.u32(Integer.MAX_VALUE));
    refused(decoder(0xFF, 0xFF, 0xFF, 0xFF), in -> in.u32(Integer.MAX_VALUE));
    refused(decoder(0x80, 0, 0, 0, 0, 0, 0, 0), Decoder::u64);
    assertThat(decoder(0, 1, 7).bytes16(1)).containsExactly(7);
    refused(decoder(0, 2, 7, 7), in -> in.bytes16(1));
    refused(decoder(0, 0, 0, 2, 7, 7), in -> in.bytes32(1));
    refused(decoder(0, 2, 'a', 'b'), in -> in.text16(1));
  }

  @Test
  void hugeLengthsCostNothing() {
    // Two gigabytes announced, four bytes there: refused before anything is allocated.
    for (int i = 0; i < 10_000; i++) {
      refused(decoder(0x7F, 0xFF, 0xFF, 0xFF, 1), in -> in.bytes32(Integer.MAX_VALUE));
      refused(decoder(1), in -> in.raw(Integer.MAX_VALUE));
    }
  }

  @Test
  void bytesBehindTheValueAreRefused() throws ProofException {
    Decoder in = decoder(1, 2);
    in.u8();
    refused(
        in,
        rest -> {
          rest.end();
          return "";
        });
    in.u8();
    in.end();
  }

  @Test
  void textIsWellFormedUtf8() throws ProofException {
    for (String text : List.of("", "abc", "äöü", "€", "\uD83D\uDE80", "\u0000")) {
      byte[] bytes = new Encoder().text16(text).toBytes();
      String read = new Decoder(bytes, "thing").text16(100);
      assertThat(read).isEqualTo(text);
      assertThat(new Encoder().text16(read).toBytes()).isEqualTo(bytes);
    }
    for (byte[] bad :
        List.of(
            new byte[] {(byte) 0xC0, (byte) 0x80}, // overlong
            new byte[] {(byte) 0xE0, (byte) 0x80, (byte) 0x80}, // overlong
            new byte[] {(byte) 0xED, (byte) 0xA0, (byte) 0x80}, // half a surrogate pair
            new byte[] {(byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80}, // beyond U+10FFFF
            new byte[] {(byte) 0xC3}, // cut
            new byte[] {(byte) 0x80},
            new byte[] {(byte) 0xFF})) {
      refused(new Decoder(new Encoder().bytes16(bad).toBytes(), "thing"), in -> in.text16(100));
    }
  }

  @Test
  void valuesThatDoNotFitAreNotWritten() {
    assertThatThrownBy(() -> new Encoder().u8(256)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Encoder().u8(-1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Encoder().u16(65536)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Encoder().u32(-1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Encoder().u64(-1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Encoder().bytes16(new byte[65536]))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Encoder().text16("ä".repeat(32768)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void fieldsWithLengthsNeverRunTogether() {
    byte[] one = new Encoder().text16("ab").text16("c").toBytes();
    byte[] other = new Encoder().text16("a").text16("bc").toBytes();
    assertThat(one).isNotEqualTo(other).hasSameSizeAs(other);
    assertThat(new String(one, StandardCharsets.UTF_8)).contains("ab");
  }
}
