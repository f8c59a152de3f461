package holdfast.sync;

/** Bounds on what is said about sets of names. */
final class SetLimits {
  /** Names of one set. */
  static final int NAMES = 1 << 24;

  /** Bytes of one message, about. */
  static final int MESSAGE_BYTES = 1 << 20;

  private SetLimits() {}
}
