package holdfast.cli;

/** A command that ends without doing what was asked, with the two lines it says about it. */
final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  static final int FAILED = 1;
  static final int USAGE = 2;
  static final int VIOLATION = 3;

  private final int exitCode;
  private final String next;

  /**
   * A failure.
   *
   * @param message what happened
   * @param next what to do about it
   */
  Failure(int exitCode, String message, String next) {
    super(message);
    this.exitCode = exitCode;
    this.next = next;
  }

  static Failure usage(String message, String next) {
    return new Failure(USAGE, message, next);
  }

  static Failure failed(String message, String next) {
    return new Failure(FAILED, message, next);
  }

  int exitCode() {
    return exitCode;
  }

  String next() {
    return next;
  }
}
