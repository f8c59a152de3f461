package holdfast.edge;

import org.jspecify.annotations.Nullable;

/** What a user may do in a space; each right includes those before it. */
enum Right {
  /** See keys, values, history and proofs. */
  READ(1),
  /** Change keys. */
  WRITE(2),
  /** Change users, devices and limits. Only for all spaces together. */
  ADMIN(3);

  private final int number;

  Right(int number) {
    this.number = number;
  }

  /** The number in the encoding, from 1. */
  int number() {
    return number;
  }

  /** The right with a number; null when there is none. */
  static @Nullable Right of(int number) {
    for (Right right : values()) {
      if (right.number == number) {
        return right;
      }
    }
    return null;
  }

  /** Whether who has this right has the other too. */
  boolean includes(Right other) {
    return number >= other.number;
  }

  /** As it is written: read, write, admin. */
  String text() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
