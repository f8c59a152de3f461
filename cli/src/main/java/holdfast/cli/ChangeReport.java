package holdfast.cli;

import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.edge.ProvenChange;
import java.util.Base64;

/** Says what an edge's leaf says: which key was changed, by whom and when, and its value. */
final class ChangeReport {
  private ChangeReport() {}

  static Json json(ProvenChange change) {
    Operation operation = change.operation();
    Json object =
        Json.object()
            .put("edge", change.edge())
            .put("op", operation instanceof Operation.Put ? "put" : "delete")
            .put("space", operation.space())
            .put("key", operation.key())
            .put("user", change.user())
            .put("device", change.device().isEmpty() ? null : change.device())
            .put("sequence", change.device().isEmpty() ? null : operation.sequence())
            .put("time", BaseCommand.time(operation.timeMillis()));
    return switch (operation) {
      case Operation.Put put ->
          object
              .put("type", type(put))
              .put("value", ReadCommand.text(put.value().toArray()))
              .put("base64", Base64.getEncoder().encodeToString(put.value().toArray()));
      case Operation.Delete _ -> object;
    };
  }

  static void print(ProvenChange change, Terminal terminal) {
    Operation operation = change.operation();
    terminal.line(
        "Edge "
            + Terminal.clean(change.edge())
            + " wrote this change of a key:"
            + "\n  space   "
            + operation.space()
            + "\n  key     "
            + Terminal.clean(operation.key())
            + "\n  user    "
            + change.user()
            + "\n  device  "
            + (change.device().isEmpty()
                ? "none, a client with only a password"
                : change.device() + ", its change number " + operation.sequence())
            + "\n  time    "
            + BaseCommand.time(operation.timeMillis())
            + (change.device().isEmpty() ? "" : ", by the device's clock"));
    switch (operation) {
      case Operation.Delete _ -> terminal.line("  deleted");
      case Operation.Put put -> {
        Octets value = put.value();
        terminal.line(
            "  value   " + type(put) + ", " + BaseCommand.count(value.size(), "byte") + ":");
        terminal.content(value.toArray());
        terminal.line("");
      }
    }
  }

  private static String type(Operation.Put put) {
    return put.contentType().isEmpty() ? Operation.DEFAULT_TYPE : put.contentType();
  }
}
