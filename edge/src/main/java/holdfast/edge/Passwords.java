package holdfast.edge;

import at.favre.lib.crypto.bcrypt.BCrypt;
import at.favre.lib.crypto.bcrypt.LongPasswordStrategies;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Passwords, which are kept as bcrypt only. Every check costs the same, whether the user exists or
 * not and however old its hash is, so that the time an answer takes does not tell who is known.
 */
final class Passwords {
  static final int DEFAULT_COST = 10;
  static final int LEAST_COST = 4;
  static final int MOST_COST = 16;

  /** bcrypt looks at no more. */
  static final int MOST_BYTES = 72;

  static final int LEAST_BYTES = 8;

  private static final BCrypt.Version VERSION = BCrypt.Version.VERSION_2B;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final int cost;

  /** Rounds of key expansion done so far; tests compare work, not time. */
  final LongAdder rounds = new LongAdder();

  Passwords(int cost) {
    if (cost < LEAST_COST || cost > MOST_COST) {
      throw new IllegalArgumentException(
          "the cost of bcrypt is " + LEAST_COST + " to " + MOST_COST + ", not " + cost);
    }
    this.cost = cost;
  }

  int cost() {
    return cost;
  }

  /** Refuses passwords that are too short to be any good, or longer than bcrypt looks. */
  static void require(byte[] password) {
    if (password.length < LEAST_BYTES || password.length > MOST_BYTES) {
      throw Problem.invalid(
          "a password has " + LEAST_BYTES + " to " + MOST_BYTES + " bytes in UTF-8");
    }
  }

  /** A fresh hash, as it is kept. */
  String hash(byte[] password) {
    require(password);
    return new String(compute(cost, password), StandardCharsets.US_ASCII);
  }

  private byte[] compute(int atCost, byte[] password) {
    byte[] salt = new byte[16];
    RANDOM.nextBytes(salt);
    rounds.add(1L << atCost);
    return BCrypt.with(VERSION, RANDOM, LongPasswordStrategies.truncate(VERSION))
        .hash(atCost, salt, password);
  }

  /**
   * Checks a password.
   *
   * @param hash what is kept; null when there is no such user
   */
  boolean verify(byte[] password, @Nullable String hash) {
    int found = hash == null ? cost : costOf(hash);
    boolean right = false;
    if (hash == null) {
      compute(cost, password);
    } else {
      rounds.add(1L << found);
      right =
          BCrypt.verifyer(VERSION, LongPasswordStrategies.truncate(VERSION))
              .verify(password, hash.getBytes(StandardCharsets.US_ASCII))
              .verified;
    }
    // 2^c + (2^c + 2^(c+1) + … + 2^(C-1)) = 2^C: what is missing to the work of a hash of today.
    for (int c = found; c < cost; c++) {
      compute(c, password);
    }
    return right && password.length <= MOST_BYTES;
  }

  /** Whether a hash is cheaper than those made today. */
  boolean outdated(String hash) {
    return costOf(hash) < cost;
  }

  private static int costOf(String hash) {
    try {
      return Integer.parseInt(hash, 4, 6, 10);
    } catch (IndexOutOfBoundsException | NumberFormatException e) {
      throw new IllegalArgumentException("a password's hash is not bcrypt", e);
    }
  }
}
