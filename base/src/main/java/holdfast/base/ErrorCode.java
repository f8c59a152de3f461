package holdfast.base;

/**
 * Every way in which operating Holdfast can fail, in one table: the number travels on the wire, the
 * HTTP status and the exit code follow from it. Numbers are never reused.
 */
public enum ErrorCode {
  /** The request makes no sense as it stands. */
  INVALID(1, 400, 2),
  /** No such capsule on this server. */
  UNKNOWN_CAPSULE(2, 404, 1),
  /** No such record, leaf or statement in the capsule. */
  NOT_FOUND(3, 404, 1),
  /** The key may not do this. */
  DENIED(4, 403, 1),
  /** The server has more work than it takes on; try again after the hint. */
  BUSY(5, 503, 1),
  /** No space is left on the disk; reads go on. */
  DISK_FULL(6, 507, 1),
  /** A limit on size or number was exceeded. */
  TOO_LARGE(7, 413, 1),
  /** Stored data was found damaged and is not served. */
  DAMAGED(8, 500, 3),
  /** The server is stopping. */
  STOPPING(9, 503, 1),
  /** The server cannot be reached. */
  UNREACHABLE(10, 502, 1),
  /** Evidence that does not hold was sent. */
  VIOLATION(11, 422, 3),
  /** The server has no record of how to prove this yet. */
  UNPROVEN(12, 409, 1),
  /** The capsule was closed by a succession. */
  SUCCEEDED(13, 409, 1),
  /** The server failed in a way it cannot explain. */
  INTERNAL(14, 500, 1),
  /** The two sides speak no version of the protocol in common. */
  VERSION(15, 505, 1),
  /** A placement of a higher version is known already. */
  SUPERSEDED(16, 409, 1),
  /** The owner has all the bytes it may have on this server. */
  QUOTA(17, 507, 1);

  private final int number;
  private final int httpStatus;
  private final int exitCode;

  ErrorCode(int number, int httpStatus, int exitCode) {
    this.number = number;
    this.httpStatus = httpStatus;
    this.exitCode = exitCode;
  }

  /** The number on the wire. */
  public int number() {
    return number;
  }

  /** The HTTP status that says the same. */
  public int httpStatus() {
    return httpStatus;
  }

  /** The exit code of a command that ends this way. */
  public int exitCode() {
    return exitCode;
  }

  /** The code with this number; unknown numbers read as {@link #INTERNAL}. */
  public static ErrorCode of(int number) {
    for (ErrorCode code : values()) {
      if (code.number == number) {
        return code;
      }
    }
    return INTERNAL;
  }
}
