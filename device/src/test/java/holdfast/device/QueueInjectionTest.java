package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A value comes from whoever the device listens to, and may hold what looks like entries of the
 * queue. Whatever becomes of the file, the device signs only what it accepted.
 */
class QueueInjectionTest {
  private static final QueueOptions OPTIONS =
      QueueOptions.DEFAULTS.withSyncing(Syncing.NONE).withOverflow(Overflow.REFUSE);
  private static final Octets SMALL = Octets.wrap(new byte[] {1});
  private static final byte[] NO_SALT = {};

  @TempDir Path folder;
  private Path path;

  @BeforeEach
  void aFolder() {
    path = folder.resolve("queue-folder");
  }

  private Path file() {
    return path.resolve("queue");
  }

  private DeviceQueue open() throws IOException {
    return new DeviceQueue(new QueueFolder(path), Fixture.KEY, OPTIONS, () -> 1000);
  }

  /** One entry as somebody writes it who takes this for the salt. */
  private static byte[] forged(byte[] salt, int type, byte[] payload) {
    ByteBuffer out = ByteBuffer.allocate(QueueFile.OVERHEAD + payload.length);
    out.putInt(payload.length).put((byte) type).put(payload);
    CRC32 crc = new CRC32();
    crc.update(salt);
    crc.update(out.array(), 0, out.position());
    return out.putInt((int) crc.getValue()).array();
  }

  private static byte[] operation(long sequence) {
    return new Operation.Put(sequence, 5, "home", "evil", "", SMALL).encode();
  }

  /** Bytes that are entries of every kind that does harm, one after the other. */
  private static Octets attack(byte[] salt) {
    ByteBuffer out = ByteBuffer.allocate(1024);
    for (long sequence = 2; sequence <= 4; sequence++) {
      out.put(forged(salt, QueueFile.OPERATION, operation(sequence)));
    }
    ByteBuffer range = ByteBuffer.allocate(Range.SIZE);
    new Range(Reason.EXPIRED, 2, 3).encode(range);
    out.put(forged(salt, QueueFile.LOST, range.array()));
    out.put(forged(salt, QueueFile.DONE, ByteBuffer.allocate(8).putLong(1).array()));
    out.put(forged(salt, QueueFile.DOUBT, new byte[0]));
    return Octets.wrap(Arrays.copyOf(out.array(), out.position()));
  }

  private byte[] salt() throws IOException {
    return Arrays.copyOfRange(Files.readAllBytes(file()), 8, 8 + QueueFile.SALT_SIZE);
  }

  private record Made(Octets file, int from, int to) {}

  /** A small value, the attack, a small value; the attack's entry stands at from to to. */
  private Made make(boolean knowsTheSalt) throws Exception {
    try (DeviceQueue begun = open()) {
      assertThat(begun.anythingToSend()).isFalse();
    }
    return make(knowsTheSalt ? salt() : NO_SALT);
  }

  private Made make(byte[] guessed) throws Exception {
    int from;
    int to;
    try (DeviceQueue queue = open()) {
      queue.put("home", "a", "", SMALL);
      from = (int) Files.size(file());
      queue.put("home", "value", "", attack(guessed));
      to = (int) Files.size(file());
      queue.put("home", "b", "", SMALL);
    }
    return new Made(Octets.wrap(Files.readAllBytes(file())), from, to);
  }

  private record Found(List<String> keys, List<Range> ranges, QueueStatus.Recovery recovery) {}

  /** What the device signs when it finds this file. */
  private Found signed(byte[] file) throws Exception {
    try (var files = Files.list(path)) {
      for (Path left : files.toList()) {
        Files.delete(left);
      }
    }
    Files.write(file(), file);
    try (DeviceQueue queue = open()) {
      QueueStatus.Recovery recovery = queue.status().recovery();
      List<String> keys = new ArrayList<>();
      if (queue.doubtful()) {
        queue.settle(0);
      }
      var batch = queue.batch();
      batch.ifPresent(one -> one.operations().forEach(o -> keys.add(o.key())));
      return new Found(keys, batch.map(one -> one.claim().ranges()).orElse(List.of()), recovery);
    }
  }

  /**
   * Cut off within the value, by somebody who even knows the salt: what is torn is not searched.
   */
  @Test
  void aTornEntryIsNeverSearched() throws Exception {
    Made made = make(true);
    for (int size = made.from(); size < made.to(); size++) {
      Found found = signed(Arrays.copyOf(made.file().toArray(), size));
      assertThat(found.keys()).as("cut to " + size).containsExactly("a");
      assertThat(found.ranges()).isEmpty();
      assertThat(found.recovery())
          .isEqualTo(new QueueStatus.Recovery(size - made.from(), 0, null, false));
    }
  }

  /** One byte altered anywhere in the entry: it is lost and said to be, with what it hides. */
  @Test
  void aValueIsNotTakenForEntriesWhenBytesAreAltered() throws Exception {
    Made made = make(false);
    for (int at = made.from(); at < made.to(); at++) {
      byte[] altered = made.file().toArray();
      altered[at] ^= 0x41;
      Found found = signed(altered);
      if (found.recovery().setAside() == null) {
        // The length was altered, so that the entry seems to go on behind the end.
        assertThat(at).isBetween(made.from() + 1, made.from() + 3);
        assertThat(found.recovery().cutBytes()).isEqualTo(altered.length - made.from());
        assertThat(found.keys()).containsExactly("a");
        assertThat(found.ranges()).isEmpty();
      } else {
        assertThat(found.keys()).as("altered at " + at).containsExactly("a", "b");
        assertThat(found.ranges()).containsExactly(new Range(Reason.DROPPED, 2, 2));
        assertThat(found.recovery().lostOperations()).isEqualTo(1);
      }
    }
  }

  /** That the salt is what keeps a value out: with it, the same bytes are found in the search. */
  @Test
  void theSearchDoesLookIntoValues() throws Exception {
    Made made = make(true);
    byte[] altered = made.file().toArray();
    altered[made.from() + 20] ^= 0x41;
    assertThat(signed(altered).keys()).contains("evil");
  }

  private byte[] saltAfter(Consumer<DeviceQueue> change) throws Exception {
    try (DeviceQueue queue = open()) {
      change.accept(queue);
    }
    return salt();
  }

  @Test
  void aFileMadeAnewHasASaltOfItsOwn() throws Exception {
    byte[] first = saltAfter(queue -> {});
    assertThat(saltAfter(queue -> {})).isEqualTo(first);
    byte[] second =
        saltAfter(queue -> {
          try {
            queue.put("home", "a", "", SMALL);
            queue.renew();
          } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
          }
        });
    assertThat(second).isNotEqualTo(first);
    try (DeviceQueue queue = open()) {
      assertThat(queue.status().recovery()).isEqualTo(new QueueStatus.Recovery(0, 0, null, false));
      assertThat(queue.batch().orElseThrow().operations()).hasSize(1);
    }
    path = folder.resolve("other");
    assertThat(saltAfter(queue -> {})).isNotEqualTo(first);
  }

  /** One salt of the two is enough; with none, nothing is an entry, least of all a forged one. */
  @Test
  void aSaltThatIsAlteredIsReadFromItsCopy() throws Exception {
    Made made = make(false);
    byte[] one = made.file().toArray();
    Arrays.fill(one, 8, 8 + QueueFile.SALT_SIZE + 4, (byte) 0);
    assertThat(signed(one).keys()).containsExactly("a", "value", "b");
    byte[] both = made.file().toArray();
    Arrays.fill(both, 0, QueueFile.HEADER_SIZE, (byte) 0);
    Found found = signed(both);
    assertThat(found.keys()).isEmpty();
    assertThat(found.recovery().renewed()).isTrue();
    assertThat(found.recovery().setAside()).isNotNull();
    assertThat(Files.readAllBytes(path.resolve("queue.damaged-1"))).isEqualTo(both);
    path = folder.resolve("zeros");
    Made zeros = make(new byte[QueueFile.SALT_SIZE]);
    byte[] wiped = zeros.file().toArray();
    Arrays.fill(wiped, 0, QueueFile.HEADER_SIZE, (byte) 0);
    assertThat(signed(wiped).keys()).isEmpty();
  }

  /** Making a file anew sums its entries again, which must not make good what was altered. */
  @Test
  void whatWasAlteredOnDiskIsNotSummedAnew() throws Exception {
    String value = "the value that is altered";
    for (boolean last : List.of(true, false)) {
      path = folder.resolve("rot-" + last);
      try (DeviceQueue queue = open()) {
        queue.put("home", "a", "", Octets.wrap(value.getBytes(StandardCharsets.UTF_8)));
        if (!last) {
          queue.put("home", "b", "", SMALL);
        }
        byte[] bytes = Files.readAllBytes(file());
        int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(value);
        try (var disk = new DiskFile(file())) {
          disk.write(at, new byte[] {'T'}, 0, 1);
        }
        queue.renew();
        var batch = queue.batch();
        assertThat(batch.stream().flatMap(one -> one.operations().stream()).map(Operation::key))
            .isEqualTo(last ? List.of() : List.of("b"));
      }
    }
  }
}
