package holdfast.edge;

/** What a user may do in a space; each right includes those before it. */
enum Right {
  /** See keys, values, history and proofs. */
  READ,
  /** Change keys. */
  WRITE,
  /** Change users, devices and limits. Only for all spaces together. */
  ADMIN;

  private static final Right[] ALL = values();

  /** The number in the encoding, from 1. */
  int number() {
    return ordinal() + 1;
  }

  /** The right with a number; null when there is none. */
  static @org.jspecify.annotations.Nullable Right of(int number) {
    return number < 1 || number > ALL.length ? null : ALL[number - 1];
  }

  /** Whether who has this right has the other too. */
  boolean includes(Right other) {
    return ordinal() >= other.ordinal();
  }

  /** As it is written: read, write, admin. */
  String text() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
