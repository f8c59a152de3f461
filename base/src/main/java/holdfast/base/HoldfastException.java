package holdfast.base;

/** An operating failure: nothing is wrong with the evidence, something could not be done. */
public final class HoldfastException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;
  private final long retryAfterMillis;

  /** A failure with a message that says what happened and what to do next. */
  public HoldfastException(ErrorCode code, String message) {
    this(code, message, 0);
  }

  /** A failure that may pass: worth trying again after {@code retryAfterMillis}. */
  public HoldfastException(ErrorCode code, String message, long retryAfterMillis) {
    super(message);
    this.code = code;
    this.retryAfterMillis = retryAfterMillis;
  }

  /** A failure caused by another. */
  public HoldfastException(ErrorCode code, String message, Throwable cause) {
    super(message, cause);
    this.code = code;
    this.retryAfterMillis = 0;
  }

  /** The row of the table. */
  public ErrorCode code() {
    return code;
  }

  /** When trying again makes sense, in milliseconds; 0 when nothing is known. */
  public long retryAfterMillis() {
    return retryAfterMillis;
  }
}
