package holdfast.edge;

import holdfast.base.HoldfastException;

/**
 * Why a request is not done, as a client is told: a problem detail of RFC 9457 with a code for
 * programs.
 */
final class Problem extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Code code;
  private final long retryAfterSeconds;
  private final transient Json extra;

  /** The codes, with the HTTP status of each. */
  enum Code {
    /** The request makes no sense as it stands. */
    INVALID(400),
    /** No login, or a wrong one. */
    UNAUTHENTICATED(401),
    /** The right is missing. */
    DENIED(403),
    /** There is no such thing. */
    NOT_FOUND(404),
    /** The path knows other methods. */
    METHOD_NOT_ALLOWED(405),
    /** Something else is there already. */
    CONFLICT(409),
    /** A condition does not hold. */
    PRECONDITION_FAILED(412),
    /** A limit on size or number is exceeded. */
    TOO_LARGE(413),
    /** The body is of a kind that is not understood. */
    UNSUPPORTED(415),
    /** The idempotency key was used for another request. */
    IDEMPOTENCY_KEY_REUSED(422),
    /** What was sent does not bear out what it says. */
    VIOLATION(422),
    /** Too many wrong logins. */
    LOCKED_OUT(429),
    /** The edge failed in a way it cannot explain. */
    INTERNAL(500),
    /** What is stored is damaged, and is not served. */
    DAMAGED(500),
    /** The edge has more to do than it takes on. */
    BUSY(503),
    /** The edge is stopping. */
    STOPPING(503),
    /** It is not known whether the change was made. */
    UNKNOWN(503),
    /** No space is left on the disk; reads go on. */
    DISK_FULL(507),
    /** The quota of the space is used up. */
    QUOTA(507);

    private final int status;

    Code(int status) {
      this.status = status;
    }

    int status() {
      return status;
    }

    /** What the status is called in HTTP. */
    String phrase() {
      return switch (status) {
        case 400 -> "Bad Request";
        case 401 -> "Unauthorized";
        case 403 -> "Forbidden";
        case 404 -> "Not Found";
        case 405 -> "Method Not Allowed";
        case 409 -> "Conflict";
        case 412 -> "Precondition Failed";
        case 413 -> "Content Too Large";
        case 415 -> "Unsupported Media Type";
        case 422 -> "Unprocessable Content";
        case 429 -> "Too Many Requests";
        case 500 -> "Internal Server Error";
        case 503 -> "Service Unavailable";
        case 507 -> "Insufficient Storage";
        default -> throw new AssertionError("a status without a phrase: " + status);
      };
    }

    /** As it stands in the problem detail. */
    String text() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  Problem(Code code, String message) {
    this(code, message, 0, Json.object());
  }

  /** A problem that may pass. */
  Problem(Code code, String message, long retryAfterSeconds) {
    this(code, message, retryAfterSeconds, Json.object());
  }

  /** A problem with members of its own. */
  Problem(Code code, String message, long retryAfterSeconds, Json extra) {
    super(message, null, false, false);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
    this.extra = extra;
  }

  static Problem invalid(String message) {
    return new Problem(Code.INVALID, message);
  }

  /** A failure of the storage below, in the terms of REST. */
  static Problem of(HoldfastException e) {
    Code code =
        switch (e.code()) {
          case INVALID, VERSION -> Code.INVALID;
          case UNKNOWN_CAPSULE, NOT_FOUND -> Code.NOT_FOUND;
          case DENIED -> Code.DENIED;
          case BUSY -> Code.BUSY;
          case STOPPING, UNREACHABLE, SUCCEEDED, SUPERSEDED -> Code.STOPPING;
          case DISK_FULL, QUOTA -> Code.DISK_FULL;
          case TOO_LARGE -> Code.TOO_LARGE;
          case DAMAGED -> Code.DAMAGED;
          case VIOLATION, UNPROVEN -> Code.VIOLATION;
          case INTERNAL -> Code.INTERNAL;
        };
    boolean passes = code.status() == 503 || code == Code.DISK_FULL;
    long seconds = passes ? Math.max(1, (e.retryAfterMillis() + 999) / 1000) : 0;
    return new Problem(code, String.valueOf(e.getMessage()), seconds);
  }

  Code code() {
    return code;
  }

  /** When trying again makes sense; 0 when nothing is known. */
  long retryAfterSeconds() {
    return retryAfterSeconds;
  }

  /** The problem detail. */
  Json detail() {
    return Json.object()
        .put("type", "about:blank")
        // Of about:blank RFC 9457 wants the phrase of the status; what it is says the code.
        .put("title", code.phrase())
        .put("status", code.status())
        .put("code", code.text())
        .put("detail", getMessage())
        .putAll(extra);
  }
}
