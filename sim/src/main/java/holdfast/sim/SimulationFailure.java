package holdfast.sim;

/** Something that must not happen in a simulated world, and did. */
final class SimulationFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private final Outcome.Kind kind;

  private SimulationFailure(Outcome.Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  /** A state or a message that is wrong. */
  static SimulationFailure wrong(String message) {
    return new SimulationFailure(Outcome.Kind.WRONG, message);
  }

  /** Something that should go on and does not. */
  static SimulationFailure stuck(String message) {
    return new SimulationFailure(Outcome.Kind.STUCK, message);
  }

  Outcome.Kind kind() {
    return kind;
  }
}
