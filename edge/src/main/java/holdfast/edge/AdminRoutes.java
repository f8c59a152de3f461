package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.device.Octets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code /v1/admin/…}: users and their rights, devices, limits of spaces. */
final class AdminRoutes {
  private static final int MOST_BODY_BYTES = 64 << 10;

  private final Edge edge;

  AdminRoutes(Edge edge) {
    this.edge = edge;
  }

  /** Answers a request; the path begins with v1, admin. */
  void handle(Exchange exchange, List<String> path) {
    exchange.login.require(Right.ADMIN, EdgeLeaf.ALL_SPACES);
    String what = path.size() > 2 ? path.get(2) : "";
    String name = path.size() > 3 ? path.get(3) : "";
    if (path.size() > 4) {
      throw Rest.unknownPath();
    }
    switch (what) {
      case "users" -> users(exchange, path.size() == 3, name);
      case "devices" -> devices(exchange, path.size() == 3, name);
      case "spaces" -> spaces(exchange, path.size() == 3, name);
      default -> throw Rest.unknownPath();
    }
  }

  // ---- Users ------------------------------------------------------------------------------------

  private void users(Exchange exchange, boolean all, String name) {
    if (all) {
      exchange.only("GET");
      exchange.json(
          Json.object()
              .put(
                  "users",
                  edge.view().users.values().stream()
                      .sorted(java.util.Comparator.comparing(EdgeLeaf.User::name))
                      .map(AdminRoutes::json)
                      .toList()));
      return;
    }
    EdgeLeaf.requireName(name);
    switch (exchange.method) {
      case "GET" -> {
        EdgeLeaf.User user = edge.view().users.get(name);
        if (user == null) {
          throw Edge.noSuch("user");
        }
        exchange.json(json(user));
      }
      case "PUT" -> change(exchange, name);
      case "DELETE" -> {
        edge.administer(flush -> {
          if (flush.userNow(name) == null) {
            throw Edge.noSuch("user");
          }
          return new EdgeLeaf.User(flush.timeMillis(), exchange.login.name(), name, "", List.of());
        });
        exchange.nothing(204);
      }
      default -> exchange.only("GET", "PUT", "DELETE");
    }
  }

  private static Json json(EdgeLeaf.User user) {
    Json rights = Json.object();
    user.grants().forEach(grant -> rights.put(grant.space(), grant.right().text()));
    return Json.object().put("name", user.name()).put("rights", rights);
  }

  /** Makes a user, or changes its password, its rights, or both. */
  private void change(Exchange exchange, String name) {
    Map<?, ?> body = Json.map(Json.read(exchange.body(MOST_BODY_BYTES)), "a user");
    Json.only(body, "password", "rights", "new");
    Object wantsNew = body.get("new");
    String hash = null;
    if (body.containsKey("password")) {
      byte[] password = Json.text(body, "password").getBytes(UTF_8);
      try {
        hash = edge.passwords().hash(password);
      } finally {
        Arrays.fill(password, (byte) 0);
      }
    }
    // Read before anything is handed over: a mistake in it concerns nobody else's changes.
    Map<String, Optional<EdgeLeaf.Grant>> rights =
        body.containsKey("rights") ? rights(Json.map(body.get("rights"), "'rights'")) : Map.of();
    String passwordHash = hash;
    boolean[] created = new boolean[1];
    edge.administer(flush -> {
      EdgeLeaf.User now = flush.userNow(name);
      created[0] = now == null;
      if (now != null && Boolean.TRUE.equals(wantsNew)) {
        throw new Problem(Problem.Code.CONFLICT, "there is a user with this name already");
      }
      if (now == null && (Boolean.FALSE.equals(wantsNew) || passwordHash == null)) {
        throw Edge.noSuch("user");
      }
      if (now == null && edge.view().users.size() >= Edge.MOST_USERS) {
        throw new Problem(
            Problem.Code.TOO_LARGE, "an edge has at most " + Edge.MOST_USERS + " users");
      }
      return new EdgeLeaf.User(
          flush.timeMillis(),
          exchange.login.name(),
          name,
          passwordHash != null
              ? passwordHash
              : java.util.Objects.requireNonNull(now).passwordHash(),
          grants(now == null ? List.of() : now.grants(), rights));
    });
    exchange.nothing(created[0] ? 201 : 204);
  }

  /** What is asked for each space: a right, or none. */
  private static Map<String, Optional<EdgeLeaf.Grant>> rights(Map<?, ?> asked) {
    Map<String, Optional<EdgeLeaf.Grant>> rights = new LinkedHashMap<>();
    asked.forEach((key, value) -> {
      String space = String.valueOf(key);
      Right right =
          switch (String.valueOf(value)) {
            case "read" -> Right.READ;
            case "write" -> Right.WRITE;
            case "admin" -> Right.ADMIN;
            case "none" -> null;
            default -> throw Problem.invalid("a right is read, write, admin or none");
          };
      rights.put(
          space, right == null ? Optional.empty() : Optional.of(new EdgeLeaf.Grant(space, right)));
    });
    return rights;
  }

  /** Rights after a change: a right for a space replaces that it had, none removes it. */
  private static List<EdgeLeaf.Grant> grants(
      List<EdgeLeaf.Grant> before, Map<String, Optional<EdgeLeaf.Grant>> changes) {
    List<EdgeLeaf.Grant> after = new ArrayList<>(before);
    changes.forEach((space, right) -> {
      after.removeIf(grant -> grant.space().equals(space));
      right.ifPresent(after::add);
    });
    return after;
  }

  // ---- Devices ----------------------------------------------------------------------------------

  private void devices(Exchange exchange, boolean all, String name) {
    if (all) {
      exchange.only("GET");
      Map<String, String> query = exchange.query("after", "limit");
      int limit = KeyValueRoutes.limit(query);
      List<Json> found = new ArrayList<>();
      edge.view()
          .devices(
              query.getOrDefault("after", ""),
              device -> {
                found.add(json(device));
                return found.size() < limit;
              });
      exchange.json(Json.object().put("devices", found));
      return;
    }
    EdgeLeaf.requireName(name);
    if (exchange.method.equals("GET")) {
      EdgeLeaf.Device device = edge.view().device(name);
      if (device == null) {
        throw Edge.noSuch("device");
      }
      exchange.json(json(device));
      return;
    }
    exchange.only("GET", "PUT");
    Map<?, ?> body = Json.map(Json.read(exchange.body(MOST_BODY_BYTES)), "a device");
    Json.only(body, "enrolled");
    if (!(body.get("enrolled") instanceof Boolean enrolled)) {
      throw Problem.invalid("'enrolled' is true or false");
    }
    edge.administer(flush -> {
      EdgeLeaf.Device now = flush.deviceNow(name);
      if (now == null) {
        throw Edge.noSuch("device");
      }
      Octets signature = now.signature();
      return now.enrolled() == enrolled
          ? null
          : new EdgeLeaf.Device(
              flush.timeMillis(), now.user(), name, now.key(), signature, enrolled);
    });
    exchange.nothing(204);
  }

  private static Json json(EdgeLeaf.Device device) {
    return Json.object()
        .put("name", device.name())
        .put("key", device.key().toHex())
        .put("user", device.user())
        .put("enrolled", device.enrolled())
        .put("since", Instant.ofEpochMilli(device.timeMillis()));
  }

  // ---- Spaces -----------------------------------------------------------------------------------

  private void spaces(Exchange exchange, boolean all, String name) {
    if (all) {
      exchange.only("GET");
      exchange.json(
          Json.object()
              .put(
                  "spaces",
                  edge.view().spaces.entrySet().stream()
                      .sorted(Map.Entry.comparingByKey())
                      .map(entry -> json(entry.getKey(), entry.getValue()))
                      .toList()));
      return;
    }
    Spaces.require(name);
    if (exchange.method.equals("GET")) {
      exchange.json(json(name, edge.view().space(name)));
      return;
    }
    exchange.only("GET", "PUT");
    Map<?, ?> body = Json.map(Json.read(exchange.body(MOST_BODY_BYTES)), "limits");
    Json.only(body, "quotaBytes", "retentionMillis");
    long quota = Json.number(body, "quotaBytes");
    long retention = Json.number(body, "retentionMillis");
    edge.administer(flush ->
        new EdgeLeaf.SpaceLimits(
            flush.timeMillis(), exchange.login.name(), name, quota, retention));
    exchange.nothing(204);
  }

  private static Json json(String name, View.SpaceState state) {
    return Json.object()
        .put("name", name)
        .put("keys", state.keys())
        .put("bytes", state.bytes())
        .put("quotaBytes", state.quotaBytes())
        .put("retentionMillis", state.retentionMillis());
  }
}
