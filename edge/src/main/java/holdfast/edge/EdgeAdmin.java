package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Administers an edge that runs on this machine, over its REST interface, with the token in its
 * folder. The edge is known by the certificate that the folder names, not by the address at which
 * it listens.
 */
public final class EdgeAdmin implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int DEVICES_AT_ONCE = 500;

  private final EdgeFolder.Admin edge;
  private final HttpClient client;

  private EdgeAdmin(EdgeFolder.Admin edge, HttpClient client) {
    this.edge = edge;
    this.client = client;
  }

  /** The edge that runs on a folder. */
  public static EdgeAdmin of(EdgeFolder folder) {
    EdgeFolder.Admin running = folder.running();
    try {
      SSLContext tls = SSLContext.getInstance("TLS");
      // Read again with each handshake: the edge renews its certificate while it runs.
      TrustManager pinned = new PinnedCertificate(() -> folder.running().fingerprint());
      tls.init(null, new TrustManager[] {pinned}, null);
      return new EdgeAdmin(
          running,
          HttpClient.newBuilder()
              .sslContext(tls)
              .connectTimeout(PATIENCE)
              .version(HttpClient.Version.HTTP_1_1)
              .build());
    } catch (GeneralSecurityException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "TLS is not available", e);
    }
  }

  /**
   * What a user may do in a space.
   *
   * @param space a space, or {@code *} for all
   * @param right read, write or admin; none to take it away
   */
  public record Right(String space, String right) {}

  /**
   * A device that was enrolled once.
   *
   * @param key Ed25519 in hexadecimal
   * @param user who enrolled it
   * @param enrolled whether it may send
   * @param since when that was said last, in ISO 8601
   */
  public record EnrolledDevice(
      String name, String key, String user, boolean enrolled, String since) {}

  /** A user and its rights. */
  public record User(String name, List<Right> rights) {}

  /** Whether a space may be called so. */
  public static boolean isSpace(String name) {
    return Spaces.valid(name);
  }

  /** Makes a user. */
  public void add(String name, byte[] password, List<Right> rights) {
    put(name, Json.object().put("new", true).put("password", new String(password, UTF_8)), rights);
  }

  /** Sets a user's password. */
  public void password(String name, byte[] password) {
    put(
        name,
        Json.object().put("new", false).put("password", new String(password, UTF_8)),
        List.of());
  }

  /** Changes rights of a user; those for other spaces stay. */
  public void grant(String name, List<Right> rights) {
    put(name, Json.object().put("new", false), rights);
  }

  private void put(String name, Json body, List<Right> rights) {
    if (!rights.isEmpty()) {
      Json given = Json.object();
      rights.forEach(right -> given.put(right.space(), right.right()));
      body.put("rights", given);
    }
    ask("PUT", "/v1/admin/users/" + encode(name), body);
  }

  /** Removes a user; its next request is refused. */
  public void remove(String name) {
    ask("DELETE", "/v1/admin/users/" + encode(name), null);
  }

  /** All users. */
  public List<User> users() {
    Map<?, ?> answer = Json.map(ask("GET", "/v1/admin/users", null), "the answer");
    return answer.get("users") instanceof List<?> users
        ? users.stream().map(EdgeAdmin::user).toList()
        : List.of();
  }

  private static User user(@Nullable Object json) {
    Map<?, ?> user = Json.map(json, "a user");
    List<Right> rights =
        Json.map(user.get("rights"), "rights").entrySet().stream()
            .map(entry ->
                new Right(String.valueOf(entry.getKey()), String.valueOf(entry.getValue())))
            .toList();
    return new User(Json.text(user, "name"), rights);
  }

  /**
   * A space: what is there, and what may be.
   *
   * @param bytes keys and values together
   * @param quotaBytes most of them; 0 for no limit
   * @param retentionMillis how long a value is kept; 0 for ever
   */
  public record Space(String name, long keys, long bytes, long quotaBytes, long retentionMillis) {}

  /** All spaces, by their names. */
  public List<Space> spaces() {
    Map<?, ?> answer = Json.map(ask("GET", "/v1/admin/spaces", null), "the answer");
    return answer.get("spaces") instanceof List<?> spaces
        ? spaces.stream().map(EdgeAdmin::space).toList()
        : List.of();
  }

  /** One space, which is empty and has no limits when nobody has used it. */
  public Space space(String name) {
    return space(ask("GET", "/v1/admin/spaces/" + encode(name), null));
  }

  private static Space space(@Nullable Object json) {
    Map<?, ?> space = Json.map(json, "a space");
    return new Space(
        Json.text(space, "name"),
        Json.number(space, "keys"),
        Json.number(space, "bytes"),
        Json.number(space, "quotaBytes"),
        Json.number(space, "retentionMillis"));
  }

  /** Sets the limits of a space; 0 for none. */
  public void limit(String space, long quotaBytes, long retentionMillis) {
    ask(
        "PUT",
        "/v1/admin/spaces/" + encode(space),
        Json.object().put("quotaBytes", quotaBytes).put("retentionMillis", retentionMillis));
  }

  /** Takes a device's right to send away, or gives it back. */
  public void enrolled(String device, boolean enrolled) {
    ask("PUT", "/v1/admin/devices/" + encode(device), Json.object().put("enrolled", enrolled));
  }

  /** All devices, by their names. */
  public List<EnrolledDevice> devices() {
    List<EnrolledDevice> found = new ArrayList<>();
    String after = "";
    while (true) {
      String page = "?limit=" + DEVICES_AT_ONCE + "&after=" + encode(after);
      Map<?, ?> answer = Json.map(ask("GET", "/v1/admin/devices" + page, null), "the answer");
      List<?> devices = answer.get("devices") instanceof List<?> list ? list : List.of();
      for (Object one : devices) {
        Map<?, ?> device = Json.map(one, "a device");
        after = Json.text(device, "name");
        found.add(
            new EnrolledDevice(
                after,
                Json.text(device, "key"),
                Json.text(device, "user"),
                Boolean.TRUE.equals(device.get("enrolled")),
                Json.text(device, "since")));
      }
      if (devices.size() < DEVICES_AT_ONCE) {
        return found;
      }
    }
  }

  /** What the edge says of itself, by the names of docs/edge-format.md. */
  public Map<String, @Nullable Object> status() {
    Map<String, @Nullable Object> found = new LinkedHashMap<>();
    Json.map(ask("GET", "/v1/status", null), "the answer")
        .forEach((key, value) -> found.put(String.valueOf(key), value));
    return found;
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, UTF_8).replace("+", "%20");
  }

  private @Nullable Object ask(String method, String path, @Nullable Json body) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("https://" + edge.rest() + path))
            .timeout(PATIENCE)
            .header("Authorization", Logins.BEARER + edge.token())
            .method(
                method,
                body == null
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofByteArray(body.toBytes()))
            .build();
    try {
      HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
      Object answer = response.body().length == 0 ? null : Json.read(response.body());
      if (response.statusCode() / 100 != 2) {
        throw new HoldfastException(
            code(response.statusCode()),
            answer instanceof Map<?, ?> problem && problem.get("detail") instanceof String detail
                ? detail
                : "the edge answered " + response.statusCode());
      }
      return answer;
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.UNREACHABLE, "the edge at " + edge.rest() + " does not answer: " + e, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted", e);
    }
  }

  private static ErrorCode code(int status) {
    return switch (status) {
      case 400, 409, 412, 415, 422 -> ErrorCode.INVALID;
      case 401, 403, 429 -> ErrorCode.DENIED;
      case 404 -> ErrorCode.NOT_FOUND;
      case 413 -> ErrorCode.TOO_LARGE;
      case 503 -> ErrorCode.BUSY;
      case 507 -> ErrorCode.DISK_FULL;
      default -> ErrorCode.INTERNAL;
    };
  }

  @Override
  public void close() {
    client.close();
  }
}
