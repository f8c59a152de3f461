package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.device.Octets;
import holdfast.device.Operation;
import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code /v1/kv/…}: keys and values. */
final class KeyValueRoutes {
  /** Bytes of a batch: as much as a device may send at once, in base64 and quotes. */
  static final int MOST_BATCH_BYTES = 12 << 20;

  static final int MOST_BATCH = 4096;
  private static final int MOST_LISTED = 1000;
  private static final int LISTED = 100;
  private static final int MOST_IDEMPOTENCY_KEY = 255;

  private static final DateTimeFormatter HTTP_DATE =
      DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", java.util.Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private final Edge edge;
  private final WatchRoute watch;

  KeyValueRoutes(Edge edge, WatchRoute watch) {
    this.edge = edge;
    this.watch = watch;
  }

  /** Answers a request; the path begins with v1, kv. */
  void handle(Exchange exchange, List<String> path) throws Exception {
    String space = path.size() > 2 ? path.get(2) : "";
    if (!Spaces.valid(space)) {
      throw Problem.invalid(
          "a space has 1 to 64 of the characters a-z 0-9 . _ - and begins with a letter or a"
              + " digit");
    }
    String key = path.size() > 3 ? path.get(3) : "";
    String last = path.size() > 4 ? path.get(4) : "";
    switch (path.size()) {
      case 3 -> list(exchange, space);
      case 4 -> {
        if (key.equals("batch") && exchange.method.equals("POST")) {
          batch(exchange, space);
        } else if (key.equals("watch") && WatchRoute.wanted(exchange)) {
          watch.handle(exchange, space);
        } else {
          value(exchange, space, key);
        }
      }
      case 5 -> {
        switch (last) {
          case "history" -> history(exchange, space, key);
          case "proof" -> proof(exchange, space, key);
          default -> throw Rest.unknownPath();
        }
      }
      default -> throw Rest.unknownPath();
    }
  }

  // ---- One value --------------------------------------------------------------------------------

  private void value(Exchange exchange, String space, String key) {
    switch (exchange.method) {
      case "GET" -> get(exchange, space, key, true);
      case "HEAD" -> get(exchange, space, key, false);
      case "PUT" -> put(exchange, space, key);
      case "DELETE" -> delete(exchange, space, key);
      default -> exchange.only("GET", "HEAD", "PUT", "DELETE");
    }
  }

  private void get(Exchange exchange, String space, String key, boolean body) {
    exchange.login.require(Right.READ, space);
    Version.Current current = key.isEmpty() ? null : edge.view().get(space, key);
    if (current == null) {
      throw new Problem(Problem.Code.NOT_FOUND, "the key has no value");
    }
    var response = exchange.response;
    response
        .header(HeaderNames.ETAG, current.place().etag())
        .header(HeaderNames.LAST_MODIFIED, httpDate(current.timeMillis()))
        .header(HeaderNames.CACHE_CONTROL, "no-cache");
    String noneMatch = exchange.header(HeaderNames.IF_NONE_MATCH);
    if (noneMatch != null && !Condition.parse(null, noneMatch).holds(true, current.place())) {
      response.status(Status.NOT_MODIFIED_304).send();
      return;
    }
    response
        .header(HeaderNames.CONTENT_TYPE, current.contentType())
        // What a stranger has stored must not run as a page of this site.
        .header(Rest.NO_SNIFF)
        .header(Rest.SANDBOX);
    if (body) {
      response.send(current.value());
    } else {
      response.header(HeaderNames.CONTENT_LENGTH, String.valueOf(current.sizeBytes())).send();
    }
  }

  /** A second and how it is written: what is read now was often written at about the same time. */
  private record Written(long second, String date) {}

  private static volatile Written lastDate = new Written(0, "Thu, 01 Jan 1970 00:00:00 GMT");

  static String httpDate(long millis) {
    long second = Math.floorDiv(millis, 1000L);
    Written last = lastDate;
    if (last.second() != second) {
      last = new Written(second, HTTP_DATE.format(Instant.ofEpochSecond(second)));
      lastDate = last;
    }
    return last.date();
  }

  private void put(Exchange exchange, String space, String key) {
    exchange.login.require(Right.WRITE, space);
    String type = exchange.header(HeaderNames.CONTENT_TYPE);
    byte[] value = exchange.body(Operation.MAX_VALUE_BYTES);
    Operation put =
        new Operation.Put(
            0, now(), space, key, type == null ? "" : type.strip(), Octets.wrap(value));
    Outcome outcome =
        edge.write(exchange.login, List.of(put), condition(exchange), false, once(exchange, value));
    exchange.response.header(HeaderNames.ETAG, outcome.first().etag());
    exchange.nothing(outcome.created() ? 201 : 204);
  }

  private void delete(Exchange exchange, String space, String key) {
    exchange.login.require(Right.WRITE, space);
    Operation delete = new Operation.Delete(0, now(), space, key);
    edge.write(
        exchange.login, List.of(delete), condition(exchange), true, once(exchange, new byte[0]));
    exchange.nothing(204);
  }

  private static long now() {
    return System.currentTimeMillis();
  }

  private static Condition condition(Exchange exchange) {
    return Condition.parse(
        exchange.header(HeaderNames.IF_MATCH), exchange.header(HeaderNames.IF_NONE_MATCH));
  }

  /** What makes a request safe to repeat; null when it brings no idempotency key. */
  private static Task.@Nullable Once once(Exchange exchange, byte[] body) {
    String key = exchange.header(Rest.IDEMPOTENCY_KEY);
    if (key == null) {
      return null;
    }
    if (key.isEmpty() || key.length() > MOST_IDEMPOTENCY_KEY) {
      throw Problem.invalid("an idempotency key has 1 to " + MOST_IDEMPOTENCY_KEY + " characters");
    }
    String type = exchange.header(HeaderNames.CONTENT_TYPE);
    String head =
        exchange.method
            + "\n"
            + exchange.request.prologue().uriPath().rawPath()
            + "\n"
            + (type == null ? "" : type)
            + "\n"
            + exchange.header(HeaderNames.IF_MATCH)
            + "\n"
            + exchange.header(HeaderNames.IF_NONE_MATCH)
            + "\n";
    byte[] first = head.getBytes(UTF_8);
    byte[] request = java.util.Arrays.copyOf(first, first.length + body.length);
    System.arraycopy(body, 0, request, first.length, body.length);
    Sha256 sha = Sha256.get();
    Hash keyHash = sha.hash(Domain.IDEMPOTENCY, key.getBytes(UTF_8));
    return new Task.Once(keyHash, sha.hash(Domain.IDEMPOTENCY, request));
  }

  // ---- Several ----------------------------------------------------------------------------------

  private void batch(Exchange exchange, String space) {
    exchange.login.require(Right.WRITE, space);
    if (exchange.header(HeaderNames.IF_MATCH) != null
        || exchange.header(HeaderNames.IF_NONE_MATCH) != null) {
      throw Problem.invalid("a batch takes no conditions");
    }
    byte[] body = exchange.body(MOST_BATCH_BYTES);
    List<Operation> operations = BatchReader.read(body, space, now(), MOST_BATCH);
    Outcome outcome =
        edge.write(exchange.login, operations, Condition.none(), false, once(exchange, body));
    String record = outcome.first().record().toString();
    int leaf = outcome.first().leaf();
    List<@Nullable String> etags = new ArrayList<>(operations.size());
    for (int i = 0; i < operations.size(); i++) {
      etags.add(
          operations.get(i) instanceof Operation.Put
              ? "\"" + record + "/" + (leaf + i) + "\""
              : null);
    }
    exchange.json(Json.object().put("record", record).put("etags", etags));
  }

  private void list(Exchange exchange, String space) {
    exchange.only("GET");
    exchange.login.require(Right.READ, space);
    Map<String, String> query = exchange.query("prefix", "after", "limit");
    int limit = limit(query);
    List<Json> keys = new ArrayList<>();
    String[] last = new String[1];
    boolean[] more = new boolean[1];
    edge.view()
        .list(
            space,
            query.getOrDefault("prefix", ""),
            query.get("after"),
            (key, current) -> {
              if (keys.size() == limit) {
                more[0] = true;
                return false;
              }
              last[0] = key;
              keys.add(
                  Json.object()
                      .put("key", key)
                      .put("etag", current.place().etag())
                      .put("type", current.contentType())
                      .put("size", current.sizeBytes())
                      .put("time", Instant.ofEpochMilli(current.timeMillis())));
              return true;
            });
    exchange.json(Json.object().put("keys", keys).put("next", more[0] ? last[0] : null));
  }

  static int limit(Map<String, String> query) {
    String limit = query.get("limit");
    if (limit == null) {
      return LISTED;
    }
    if (!limit.matches("[1-9]\\d{0,3}") || Integer.parseInt(limit) > MOST_LISTED) {
      throw Problem.invalid("limit is 1 to " + MOST_LISTED);
    }
    return Integer.parseInt(limit);
  }

  private void history(Exchange exchange, String space, String key) {
    exchange.only("GET");
    exchange.login.require(Right.READ, space);
    Map<String, String> query = exchange.query("before", "limit");
    int limit = limit(query);
    long below = Long.MAX_VALUE;
    String before = query.get("before");
    if (before != null) {
      if (!before.matches("\\d{1,18}")) {
        throw Problem.invalid("before is the number of a version");
      }
      below = Long.parseLong(before);
    }
    List<Json> versions = new ArrayList<>();
    edge.view()
        .history(
            space,
            key,
            below,
            version -> {
              versions.add(json(version));
              return versions.size() < limit;
            });
    if (versions.isEmpty() && before == null) {
      throw new Problem(Problem.Code.NOT_FOUND, "the key never had a value that is remembered");
    }
    exchange.json(Json.object().put("versions", versions));
  }

  static Json json(Version version) {
    Json json =
        Json.object()
            .put("number", version.number())
            .put("op", version.deletion() ? "delete" : "put")
            .put("etag", version.place().etag())
            .put("time", Instant.ofEpochMilli(version.timeMillis()))
            .put("user", version.user());
    if (!version.deletion()) {
      json.put("type", version.type().isEmpty() ? Operation.DEFAULT_TYPE : version.type())
          .put("size", version.sizeBytes());
    }
    if (!version.device().isEmpty()) {
      json.put("device", version.device())
          .put("sequence", version.sequence())
          .put("deviceTime", Instant.ofEpochMilli(version.operationMillis()));
    }
    return json;
  }

  private void proof(Exchange exchange, String space, String key) throws ProofException {
    exchange.only("GET");
    exchange.login.require(Right.READ, space);
    String disclose = exchange.query("disclose").getOrDefault("disclose", "false");
    if (!disclose.equals("true") && !disclose.equals("false")) {
      throw Problem.invalid("disclose is true or false");
    }
    Version.Current current = key.isEmpty() ? null : edge.view().get(space, key);
    if (current == null) {
      throw new Problem(Problem.Code.NOT_FOUND, "the key has no value");
    }
    byte[] file = edge.proof(current.place(), disclose.equals("true"));
    exchange
        .response
        .header(HeaderNames.CONTENT_TYPE, "application/vnd.holdfast.proof")
        .header(HeaderNames.ETAG, current.place().etag())
        .send(file);
  }

  /** Reads base64, the ordinary alphabet with padding. */
  static byte[] base64(String text) {
    try {
      return Base64.getDecoder().decode(text);
    } catch (IllegalArgumentException e) {
      throw Problem.invalid("'base64' holds what is not base64");
    }
  }
}
