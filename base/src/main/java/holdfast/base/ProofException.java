package holdfast.base;

/**
 * Evidence that does not hold. The one checked exception: whoever meets unverified data must decide
 * what to do when it is bad, and must never mistake it for "not found".
 */
public final class ProofException extends Exception {
  private static final long serialVersionUID = 1L;

  private final Violation violation;

  /** A violation with a message that says what was expected and what was found. */
  public ProofException(Violation violation, String message) {
    super(message);
    this.violation = violation;
  }

  /** A violation found while something else failed. */
  public ProofException(Violation violation, String message, Throwable cause) {
    super(message, cause);
    this.violation = violation;
  }

  /** The kind of violation. */
  public Violation violation() {
    return violation;
  }
}
