package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.device.Octets;
import holdfast.device.Operation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Reads the JSON of a batch: an array of puts and deletes. */
final class BatchReader {
  private BatchReader() {}

  static List<Operation> read(byte[] body, String space, long nowMillis, int most) {
    if (!(Json.read(body) instanceof List<?> items)) {
      throw Problem.invalid("a batch is a JSON array");
    }
    if (items.isEmpty() || items.size() > most) {
      throw Problem.invalid("a batch has 1 to " + most + " changes, not " + items.size());
    }
    List<Operation> operations = new ArrayList<>(items.size());
    for (Object item : items) {
      operations.add(operation(Json.map(item, "each change"), space, nowMillis));
    }
    return operations;
  }

  private static Operation operation(Map<?, ?> item, String space, long nowMillis) {
    String key = Json.text(item, "key");
    return switch (Json.text(item, "op")) {
      case "put" -> {
        Json.only(item, "op", "key", "value", "base64", "type");
        if (item.containsKey("value") == item.containsKey("base64")) {
          throw Problem.invalid("a put has either 'value', a text, or 'base64'");
        }
        boolean text = item.containsKey("value");
        byte[] value =
            text
                ? Json.text(item, "value").getBytes(UTF_8)
                : KeyValueRoutes.base64(Json.text(item, "base64"));
        String type = item.containsKey("type") ? Json.text(item, "type") : "";
        yield new Operation.Put(0, nowMillis, space, key, type, Octets.wrap(value));
      }
      case "delete" -> {
        Json.only(item, "op", "key");
        yield new Operation.Delete(0, nowMillis, space, key);
      }
      default -> throw Problem.invalid("'op' is put or delete");
    };
  }
}
