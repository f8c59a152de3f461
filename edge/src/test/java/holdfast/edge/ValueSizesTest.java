package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.device.Octets;
import holdfast.device.Operation;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ValueSizesTest {
  @TempDir Path folder;

  private static Bytes key(String text) {
    return Bytes.wrap(text.getBytes(UTF_8));
  }

  @Test
  void isBounded() {
    ValueSizes sizes = new ValueSizes();
    for (int i = 0; i < ValueSizes.MOST + 10; i++) {
      sizes.committed(Map.of(key("k" + i), i));
      assertThat(sizes.of(key("k0"))).isZero();
    }
    assertThat(sizes.count()).isEqualTo(ValueSizes.MOST);
    // Those that were asked for last stay.
    assertThat(sizes.of(key("k1"))).isNull();
    sizes.committed(Map.of(key("k".repeat(ValueSizes.LONGEST_KEY + 1)), 1));
    assertThat(sizes.of(key("k".repeat(ValueSizes.LONGEST_KEY + 1)))).isNull();
  }

  /** What is remembered says the same as the table does, over changes in one record and in many. */
  @Test
  void countsAsAViewThatIsOpenedAnewDoes() {
    Path data = folder.resolve("view");
    View view = View.open(data);
    try {
      for (int i = 0; i < 40; i++) {
        // A view that is opened anew remembers nothing, and has to ask the table.
        if (i % 7 == 3) {
          view.close();
          view = View.open(data);
        }
        List<EdgeLeaf> leaves =
            List.of(change("a", i), change("b", i / 2), change("a", i + 1), change("b", 5 * i));
        List<ViewUpdate.Effect> effects =
            ViewUpdate.apply(view, hash("record " + i), 1000 + i, i + 1, leaves);
        long keys = 0;
        long bytes = 0;
        for (String key : List.of("a", "b")) {
          Version.Current now = view.get("home", key);
          keys += now == null ? 0 : 1;
          bytes += now == null ? 0 : key.length() + now.sizeBytes();
        }
        assertThat(view.space("home").keys()).isEqualTo(keys);
        assertThat(view.space("home").bytes()).isEqualTo(bytes);
        // The third leaf comes behind the first.
        assertThat(effects.get(2).existed()).isEqualTo(i % 5 != 0);
      }
    } finally {
      view.close();
    }
  }

  /** Every fifth is a deletion. */
  private static EdgeLeaf change(String key, int number) {
    Operation operation =
        number % 5 == 0
            ? new Operation.Delete(0, 0, "home", key)
            : new Operation.Put(
                0, 0, "home", key, "", Octets.wrap("v".repeat(number).getBytes(UTF_8)));
    return new EdgeLeaf.Change("ann", "", operation);
  }

  private static Hash hash(String text) {
    return Sha256.get().hash(Domain.IDEMPOTENCY, text.getBytes(UTF_8));
  }
}
