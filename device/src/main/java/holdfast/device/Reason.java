package holdfast.device;

/** Why an operation that had a sequence number is not sent. */
public enum Reason {
  /** A later operation of the same key took its place before it was sent. */
  COLLAPSED(1),
  /** It became older than the queue keeps operations. */
  EXPIRED(2),
  /** The queue was full, and its policy is to drop the oldest; or it was damaged on disk. */
  DROPPED(3),
  /** The edge said that it will never take it, such as a change in a space it is not allowed in. */
  REJECTED(4);

  private static final Reason[] ALL = values();

  private final int number;

  Reason(int number) {
    this.number = number;
  }

  /** The number in the encoding, from 1. */
  public int number() {
    return number;
  }

  static Reason of(int number, Input in) throws MalformedException {
    if (number < 1 || number > ALL.length) {
      throw in.malformed("names the unknown reason " + number);
    }
    return ALL[number - 1];
  }
}
