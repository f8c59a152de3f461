package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The vectors of docs/edge-format.md. {@code -Dholdfast.writeVectors=FILE} writes what the code
 * makes; a change there is a change of the format.
 */
class FormatVectorsTest {
  private static final Path DOCUMENT = Path.of("../docs/edge-format.md");
  private static final int DIGITS_PER_LINE = 96;
  private static final long TIME = 1_700_000_000_000L;

  static Map<String, Octets> make() {
    Map<String, Octets> made = new LinkedHashMap<>();
    made.put("device seed", Octets.wrap(Fixture.filled(0xD1, 32)));
    made.put("device key", Fixture.KEY.publicKey());
    made.put("enrolment as pump-1 by ada", Fixture.KEY.signEnrolment("pump-1", "ada"));
    Operation put =
        new Operation.Put(
            3,
            TIME,
            "home",
            "room/küche",
            "text/plain",
            Octets.wrap("21.5".getBytes(StandardCharsets.UTF_8)));
    Operation empty = new Operation.Put(4, TIME + 1, "home", "empty", "", Octets.EMPTY);
    Operation delete = new Operation.Delete(7, TIME + 2, "home", "room/küche");
    made.put("operation 3, put", Octets.wrap(put.encode()));
    made.put("operation 4, put of an empty value", Octets.wrap(empty.encode()));
    made.put("operation 7, delete", Octets.wrap(delete.encode()));
    made.put("root of 3", Batch.rootOf(List.of(put)));
    made.put("root of 3, 4", Batch.rootOf(List.of(put, empty)));
    made.put("root of 3, 4, 7", Batch.rootOf(List.of(put, empty, delete)));
    Batch batch =
        signed(
            new Origin(Origin.Kind.CONTINUES, Octets.wrap(Fixture.filled(0x1B, 16)), 12),
            List.of(
                new Range(Reason.DROPPED, 1, 1),
                new Range(Reason.EXPIRED, 2, 2),
                new Range(Reason.COLLAPSED, 5, 6),
                new Range(Reason.COLLAPSED, 8, 8)),
            List.of(put, empty, delete));
    made.put("claim of 1 to 8", Octets.wrap(batch.claim().encode()));
    made.put("signature of the claim", batch.signed().signature());
    made.put("batch", Octets.wrap(batch.encode()));
    return made;
  }

  private static Batch signed(Origin origin, List<Range> ranges, List<Operation> operations) {
    Claim claim =
        new Claim(
            Fixture.KEY.publicKey(),
            Fixture.INCARNATION,
            1,
            8,
            ranges,
            operations.size(),
            Batch.rootOf(operations),
            origin);
    return new Batch(SignedClaim.sign(Fixture.KEY, claim), operations);
  }

  private static String shown(Map<String, Octets> vectors) {
    StringBuilder text = new StringBuilder();
    vectors.forEach((name, value) -> {
      text.append(name).append('\n');
      String hex = value.toHex();
      for (int at = 0; at < hex.length(); at += DIGITS_PER_LINE) {
        int end = Math.min(hex.length(), at + DIGITS_PER_LINE);
        text.append("  ").append(hex, at, end).append('\n');
      }
    });
    return text.toString();
  }

  @Test
  void theDocumentShowsTheVectorsThatTheCodeMakes() throws IOException {
    String made = shown(make());
    String target = System.getProperty("holdfast.writeVectors");
    if (target != null) {
      Files.writeString(Path.of(target), made);
    }
    String document = Files.readString(DOCUMENT);
    String marker = "```vectors\n";
    int start = document.indexOf(marker);
    assertThat(start).as("docs/edge-format.md holds the vectors").isPositive();
    int end = document.indexOf("```", start + marker.length());
    assertThat(document.substring(start + marker.length(), end)).isEqualTo(made);
  }

  @Test
  void theDocumentShowsEveryTag() throws IOException {
    String document = Files.readString(DOCUMENT);
    for (Tag tag : Tag.values()) {
      assertThat(document).contains("`" + new String(tag.bytes(), StandardCharsets.US_ASCII) + "`");
    }
  }

  @Test
  void theVectorsDecodeAndVerify() throws MalformedException {
    Map<String, Octets> made = make();
    Batch batch = Batch.decode(made.getOrDefault("batch", Octets.EMPTY).toArray());
    assertThat(batch.verifies()).isTrue();
    assertThat(
            DeviceKey.verifies(
                Fixture.KEY.publicKey(),
                Tag.ENROL,
                DeviceKey.enrolment("pump-1", "ada"),
                made.getOrDefault("enrolment as pump-1 by ada", Octets.EMPTY)))
        .isTrue();
  }
}
