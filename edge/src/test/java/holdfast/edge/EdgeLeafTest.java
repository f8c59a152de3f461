package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.device.Batch;
import holdfast.device.DeviceKey;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.Range;
import holdfast.device.Reason;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The leaves of docs/edge-format.md, section 4. */
class EdgeLeafTest {
  private static final DeviceKey KEY = DeviceKey.ofSeed(new byte[32]);

  private static final String HASH = "$2b$04$abcdefghijklmnopqrstuuJ8TX2bzKJ1zJ7m1mF1s3sK5bJ0sQy5W";

  private static List<EdgeLeaf> examples() {
    Operation put =
        new Operation.Put(
            2, 5, "home", "kitchen/°C", "text/plain", Octets.wrap("21".getBytes(UTF_8)));
    Batch batch =
        Batch.sign(
            KEY,
            Octets.wrap(new byte[16]),
            1,
            2,
            List.of(new Range(Reason.COLLAPSED, 1, 1)),
            List.of(put));
    Hash hash = Hash.of(Arrays.copyOf("hash".getBytes(UTF_8), 32));
    return List.of(
        new EdgeLeaf.Change("ann", "", new Operation.Delete(0, 0, "home", "k")),
        new EdgeLeaf.Change("ann", "sensor", put),
        new EdgeLeaf.Change(
            "ann", "", new Operation.Put(0, 1, "a", "b", "", Octets.wrap(new byte[5000]))),
        new EdgeLeaf.DeviceBatch("ann", "sensor", batch.signed()),
        new EdgeLeaf.Answered("ann", hash, Hash.ZERO, 3),
        new EdgeLeaf.User(
            7,
            "",
            "ann",
            HASH,
            List.of(new EdgeLeaf.Grant("home", Right.WRITE), new EdgeLeaf.Grant("*", Right.ADMIN))),
        new EdgeLeaf.User(8, "root", "ann", "", List.of()),
        new EdgeLeaf.Device(9, "ann", "sensor", KEY.publicKey(), batch.signed().signature(), true),
        new EdgeLeaf.SpaceLimits(10, "root", "home", 1 << 20, 1000));
  }

  @Test
  void everyLeafIsReadAsItWasWritten() throws ProofException {
    for (EdgeLeaf leaf : examples()) {
      assertThat(EdgeLeaf.decode(leaf.encode())).isEqualTo(leaf);
      assertThat(EdgeLeaf.decode(leaf.encodePlain())).isEqualTo(leaf);
    }
  }

  @Test
  void changesOfAnySizeAreReadAsTheyWereWritten() throws Exception {
    Property.check(
        200,
        gen -> {
          String key = gen.text(100) + "k";
          byte[] value = gen.oneIn(2) ? gen.bytesUpTo(4000) : new byte[gen.below(4000)];
          EdgeLeaf leaf =
              new EdgeLeaf.Change(
                  "u",
                  gen.oneIn(2) ? "" : "d",
                  new Operation.Put(gen.below(9), gen.below(9), "s", key, "", Octets.wrap(value)));
          assertThat(EdgeLeaf.decode(leaf.encode())).isEqualTo(leaf);
        });
  }

  @Test
  void whatCompressionMakesSmallerIsCompressedAndNothingElse() {
    byte[] zeros = new byte[1000];
    byte[] noise = new Gen(1).bytes(1000);
    assertThat(change(zeros).encode()).hasSizeLessThan(200);
    assertThat(change(zeros).encode()[0] & 0x80).isEqualTo(0x80);
    assertThat(change(noise).encode()).isEqualTo(change(noise).encodePlain());
  }

  private static EdgeLeaf change(byte[] value) {
    return new EdgeLeaf.Change("u", "", new Operation.Put(0, 0, "s", "k", "", Octets.wrap(value)));
  }

  @Test
  void aCompressedLeafThatLiesAboutItsSizeIsRefused() throws ProofException {
    byte[] packed = change(new byte[1000]).encode();
    for (int delta : new int[] {-1, 1}) {
      byte[] lie = packed.clone();
      lie[4] = (byte) (lie[4] + delta);
      assertThatThrownBy(() -> EdgeLeaf.decode(lie)).isInstanceOf(ProofException.class);
    }
    // A size that so few bytes cannot hold is refused before there is an array for it.
    byte[] bomb = {(byte) 0x81, 0, 0x10, 0, 0, 1, 2};
    assertThatThrownBy(() -> EdgeLeaf.decode(bomb))
        .isInstanceOf(ProofException.class)
        .hasMessageContaining("cannot hold");
    byte[] more = Arrays.copyOf(packed, packed.length + 1);
    assertThatThrownBy(() -> EdgeLeaf.decode(more)).isInstanceOf(ProofException.class);
  }

  @Test
  void hostileInputIsRefusedAndNothingElseHappens() throws Exception {
    List<byte[]> corpus =
        examples().stream()
            .flatMap(leaf -> java.util.stream.Stream.of(leaf.encode(), leaf.encodePlain()))
            .toList();
    long millis = Long.getLong("holdfast.fuzzMillis", 500);
    long seed = Long.getLong("holdfast.fuzzSeed", 1);
    assertThat(Mutator.fuzz(seed, millis, corpus, EdgeLeafTest::accept)).isPositive();
    for (byte[] input : corpus) {
      if (input.length < 400) {
        Mutator.eachByteChanged(input, EdgeLeafTest::accept);
        Mutator.eachLengthChanged(input, EdgeLeafTest::accept);
      }
    }
    accept(new byte[0]);
  }

  /** Hostile input is refused, or is the one encoding of its value. */
  private static void accept(byte[] input) {
    byte[] plain;
    EdgeLeaf leaf;
    try {
      plain = Compression.unwrap(input.clone());
      leaf = EdgeLeaf.decode(input.clone());
    } catch (ProofException e) {
      return;
    }
    assertThat(leaf.encodePlain()).isEqualTo(plain);
  }

  @Test
  void rulesOfNamesRightsAndNumbersHold() {
    assertThatThrownBy(() -> new EdgeLeaf.Grant("home", Right.ADMIN))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new EdgeLeaf.Grant("Home", Right.READ))
        .isInstanceOf(IllegalArgumentException.class);
    EdgeLeaf.Grant read = new EdgeLeaf.Grant("home", Right.READ);
    assertThatThrownBy(() -> new EdgeLeaf.User(1, "", "ann", HASH, List.of(read, read)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new EdgeLeaf.User(1, "", "a:b", HASH, List.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new EdgeLeaf.Answered("ann", Hash.ZERO, Hash.ZERO, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Trap: secrets logged. */
  @Test
  void aUserPrintsWithoutItsHash() {
    assertThat(new EdgeLeaf.User(1, "", "ann", HASH, List.of()).toString())
        .contains("ann")
        .doesNotContain("$2b$");
  }
}
