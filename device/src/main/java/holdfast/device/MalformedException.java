package holdfast.device;

/**
 * Bytes that are not what they should be: cut off, beyond a limit, or not the one encoding of their
 * value. Nothing of them is used.
 */
public final class MalformedException extends Exception {
  private static final long serialVersionUID = 1;

  MalformedException(String message) {
    super(message);
  }
}
