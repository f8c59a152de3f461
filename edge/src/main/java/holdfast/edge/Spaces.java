package holdfast.edge;

import java.util.regex.Pattern;

/** The rule for the names of spaces: docs/edge-format.md, section 1. */
final class Spaces {
  private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9._-]{0,63}");

  private Spaces() {}

  static boolean valid(String space) {
    return NAME.matcher(space).matches();
  }

  static void require(String space) {
    if (!valid(space)) {
      throw new IllegalArgumentException(
          "a space has 1 to 64 of the characters a-z 0-9 . _ - and begins with a letter or a digit");
    }
  }
}
