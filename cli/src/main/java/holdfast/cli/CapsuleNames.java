package holdfast.cli;

import holdfast.base.Hash;
import holdfast.client.Home;
import java.util.List;
import java.util.Locale;

/** Names of capsules that no server is asked to complete. */
final class CapsuleNames {
  private CapsuleNames() {}

  /** The capsule whose name is given in full, or as the beginning of one that is known here. */
  static Hash full(Home home, String given) {
    String digits = given.toLowerCase(Locale.ROOT);
    if (digits.matches("[0-9a-f]{64}")) {
      return Hash.parse(digits);
    }
    List<Hash> known = digits.matches("[0-9a-f]{1,63}") ? home.capsules(digits) : List.of();
    if (known.size() != 1) {
      throw Failure.usage(
          known.isEmpty()
              ? "'" + given + "' is no capsule known here"
              : known.size() + " capsules known here begin with " + digits,
          "Give all 64 digits.");
    }
    return known.getFirst();
  }
}
