package holdfast.edge;

import holdfast.crypto.Domain;
import holdfast.device.Batch;
import holdfast.device.DeviceKey;
import holdfast.device.MalformedException;
import holdfast.device.Octets;
import io.helidon.http.HeaderNames;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** {@code /v1/devices…}: devices with keys of their own, and their batches. */
final class DeviceRoutes {
  private static final int MOST_ENROLMENT_BYTES = 4096;

  private final Edge edge;

  DeviceRoutes(Edge edge) {
    this.edge = edge;
  }

  /** Answers a request; the path begins with v1, devices. */
  void handle(Exchange exchange, List<String> path) {
    if (path.size() == 2) {
      exchange.only("POST");
      enrol(exchange);
    } else if (path.size() == 4 && path.get(3).equals("batches")) {
      switch (exchange.method) {
        case "POST" -> take(exchange, path.get(2));
        case "GET" -> incarnations(exchange, path.get(2));
        default -> exchange.only("GET", "POST");
      }
    } else {
      throw Rest.unknownPath();
    }
  }

  private void enrol(Exchange exchange) {
    edge.requireWriter(exchange.login);
    Map<?, ?> body = Json.map(Json.read(exchange.body(MOST_ENROLMENT_BYTES)), "an enrolment");
    Json.only(body, "device", "key", "signature");
    String name = Json.text(body, "device");
    if (!name.matches("[a-z0-9._-]{1,64}")) {
      throw Problem.invalid("a device's name has 1 to 64 of the characters a-z 0-9 . _ -");
    }
    Octets key = octets(body, "key");
    Octets signature = octets(body, "signature");
    String user = exchange.login.name();
    EdgeLeaf.Device asked = new EdgeLeaf.Device(0, user, name, key, signature, true);
    if (!Edge.signed(key, Domain.DEVICE_ENROLMENT, DeviceKey.enrolment(name, user), signature)) {
      throw new Problem(
          Problem.Code.VIOLATION,
          "the enrolment is not signed by the device's key over its name and user " + user);
    }
    Outcome outcome =
        edge.administer(flush -> {
          EdgeLeaf.Device known = flush.deviceNow(name);
          if (known == null) {
            return new EdgeLeaf.Device(
                flush.timeMillis(), asked.user(), name, key, signature, true);
          }
          if (!known.key().equals(key)) {
            throw new Problem(
                Problem.Code.CONFLICT, "another device has this name, with another key");
          }
          if (!known.enrolled()) {
            throw new Problem(Problem.Code.DENIED, "the device was revoked");
          }
          return null;
        });
    exchange.json(
        outcome.repeated() ? 200 : 201, Json.object().put("device", name).put("key", key.toHex()));
  }

  private static Octets octets(Map<?, ?> body, String member) {
    try {
      return Octets.parseHex(Json.text(body, member));
    } catch (IllegalArgumentException e) {
      throw Problem.invalid("'" + member + "' is not hexadecimal");
    }
  }

  private void take(Exchange exchange, String device) {
    edge.requireWriter(exchange.login);
    String type = exchange.header(HeaderNames.CONTENT_TYPE);
    if (!Batch.MEDIA_TYPE.equals(type)) {
      throw new Problem(Problem.Code.UNSUPPORTED, "a batch is of type " + Batch.MEDIA_TYPE);
    }
    byte[] body = exchange.bodyMaybeGzip(Batch.MAX_BYTES);
    Batch batch;
    try {
      batch = Batch.decode(body);
    } catch (MalformedException e) {
      throw Problem.invalid(String.valueOf(e.getMessage()));
    }
    Outcome outcome = edge.take(exchange.login, device, batch, body.length);
    exchange.json(
        Json.object()
            .put("last", batch.claim().last())
            .put("record", outcome.first().record())
            .put("duplicate", outcome.repeated()));
  }

  private void incarnations(Exchange exchange, String name) {
    edge.requireWriter(exchange.login);
    if (edge.view().device(name) == null) {
      throw Edge.noSuch("device");
    }
    Map<String, String> query = exchange.query("incarnation", "from", "limit");
    String one = query.get("incarnation");
    if (one != null) {
      long last = edge.view().lastSequence(name, incarnation(one));
      exchange.json(
          Json.object()
              .put("incarnations", last == 0 ? List.of() : List.of(told(incarnation(one), last))));
      return;
    }
    int limit = KeyValueRoutes.limit(query);
    String from = query.get("from");
    List<Json> found = new ArrayList<>();
    Octets[] next = new Octets[1];
    edge.view()
        .incarnations(
            name,
            from == null ? Octets.EMPTY : incarnation(from),
            (incarnation, last) -> {
              if (found.size() == limit) {
                next[0] = incarnation;
                return false;
              }
              found.add(told(incarnation, last));
              return true;
            });
    exchange.json(
        Json.object()
            .put("incarnations", found)
            .put("next", next[0] == null ? null : next[0].toHex()));
  }

  private static Json told(Octets incarnation, long last) {
    return Json.object().put("incarnation", incarnation.toHex()).put("last", last);
  }

  private static Octets incarnation(String hex) {
    if (!hex.matches("[0-9a-f]{32}")) {
      throw Problem.invalid("an incarnation has 32 hexadecimal digits");
    }
    return Octets.parseHex(hex);
  }
}
