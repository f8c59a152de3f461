package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** I7, and the traps about logins: work is compared, not time. */
class LoginsTest {
  private final AtomicLong clock = new AtomicLong(1_000_000);
  private final Map<String, EdgeLeaf.User> users = new HashMap<>();
  private final Passwords passwords = new Passwords(6);
  private final Logins.LoginLimits limits = new Logins.LoginLimits(4, 60_000, 1, 1000, 8, 3, 6);
  private final Logins logins = new Logins(users::get, passwords, limits, clock::get);

  LoginsTest() {
    user("ann", passwords.hash("correct horse".getBytes(UTF_8)));
  }

  private void user(String name, String hash) {
    users.put(name, new EdgeLeaf.User(1, "", name, hash, List.of()));
  }

  private Login login(String name, String password) {
    return login(name, password, "10.0.0.1");
  }

  private Login login(String name, String password, String address) {
    return logins.authenticate(EdgeFixture.basic(name + ":" + password), address);
  }

  private Problem refused(String name, String password) {
    return refused(name, password, "10.0.0.1");
  }

  private Problem refused(String name, String password, String address) {
    return catchThrowableOfType(Problem.class, () -> login(name, password, address));
  }

  private long work(Runnable what) {
    long before = passwords.rounds.sum();
    what.run();
    return passwords.rounds.sum() - before;
  }

  @Test
  void i7_aPasswordIsKeptAsBcryptOnly() {
    assertThat(users.get("ann").passwordHash()).startsWith("$2b$06$").hasSize(60);
    assertThat(login("ann", "correct horse").name()).isEqualTo("ann");
    assertThat(refused("ann", "correct horsf").code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
  }

  @Test
  void i7_theCostCanBeRaisedAndOldHashesStillVerifyAndAreMadeAnew() {
    String old = new Passwords(4).hash("old password".getBytes(UTF_8));
    user("old", old);
    Map<String, String> upgraded = new HashMap<>();
    logins.onUpgrade((user, hash) -> upgraded.put(user.name(), hash));
    assertThat(login("old", "old password").name()).isEqualTo("old");
    assertThat(upgraded.get("old")).startsWith("$2b$06$");
    user("old", upgraded.get("old"));
    assertThat(login("old", "old password").name()).isEqualTo("old");
  }

  /** Trap: a user-enumeration fast path. */
  @Test
  void unknownAndKnownUsersCostTheSameWork() {
    user("old", new Passwords(4).hash("old password".getBytes(UTF_8)));
    long known = work(() -> refused("ann", "wrong password"));
    long unknown = work(() -> refused("nobody", "wrong password"));
    long old = work(() -> refused("old", "wrong password"));
    assertThat(known).isEqualTo(1 << 6);
    assertThat(unknown).isEqualTo(known);
    assertThat(old).isEqualTo(known);
    assertThat(refused("nobody", "x").getMessage())
        .isEqualTo(refused("ann", "y", "10.0.0.2").getMessage());
  }

  /** Trap: bcrypt paid on every request. */
  @Test
  void aKnownLoginCostsNoBcryptUntilItExpires() {
    assertThat(work(() -> login("ann", "correct horse"))).isEqualTo(1 << 6);
    assertThat(work(() -> login("ann", "correct horse"))).isZero();
    clock.addAndGet(60_000);
    assertThat(work(() -> login("ann", "correct horse"))).isEqualTo(1 << 6);
  }

  /** Who works all day is not kept out by somebody who guesses all day. */
  @Test
  void aKnownLoginStaysKnownWhileItIsUsed() {
    login("ann", "correct horse");
    for (int minute = 0; minute < 100; minute++) {
      refused("ann", "guess " + minute, "10.0.1." + minute);
      clock.addAndGet(40_000);
      assertThat(work(() -> login("ann", "correct horse"))).isZero();
    }
    user("ann", passwords.hash("another one".getBytes(UTF_8)));
    assertThat(refused("ann", "correct horse", "10.0.2.1").code())
        .isIn(Problem.Code.UNAUTHENTICATED, Problem.Code.LOCKED_OUT);
    clock.addAndGet(600_000);
    assertThat(login("ann", "another one", "10.0.2.2").name()).isEqualTo("ann");
  }

  /** A guesser that has one account of its own is not let go on by it. */
  @Test
  void aValidAccountDoesNotLiftTheLockoutOfAnAddress() {
    String own = EdgeFixture.basic("ann:correct horse");
    int guesses = 0;
    for (int i = 0; i < 40; i++) {
      if (refused("victim" + i, "leaked").code() == Problem.Code.UNAUTHENTICATED) {
        guesses++;
      }
      // The same login, written another way each time.
      String header = own.replace("Basic ", "Basic " + " ".repeat(i));
      try {
        logins.authenticate(header, "10.0.0.1");
      } catch (Problem locked) {
        assertThat(locked.code()).isEqualTo(Problem.Code.LOCKED_OUT);
      }
    }
    assertThat(guesses).isLessThan(10);
    assertThat(logins.cached()).isEqualTo(1);
  }

  @Test
  void aChangedPasswordAndARemovedUserHoldAtOnce() {
    login("ann", "correct horse");
    user("ann", passwords.hash("another one".getBytes(UTF_8)));
    assertThat(refused("ann", "correct horse").code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
    login("ann", "another one");
    users.remove("ann");
    assertThat(refused("ann", "another one").code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
  }

  @Test
  void rightsAreThoseOfNowNotThoseOfTheLogin() {
    login("ann", "correct horse");
    EdgeLeaf.User before = users.get("ann");
    users.put(
        "ann",
        new EdgeLeaf.User(
            2, "", "ann", before.passwordHash(), List.of(new EdgeLeaf.Grant("home", Right.READ))));
    assertThat(login("ann", "correct horse").may(Right.READ, "home")).isTrue();
  }

  @Test
  void theTableOfKnownLoginsIsBounded() {
    for (int i = 0; i < 10; i++) {
      user("user" + i, passwords.hash("password".getBytes(UTF_8)));
      login("user" + i, "password");
    }
    assertThat(logins.cached()).isEqualTo(4);
  }

  @Test
  void whoGuessesIsLockedOutForLongerAndLonger() {
    for (int i = 0; i < 4; i++) {
      assertThat(refused("ann", "guess " + i, "10.0.1." + i).code())
          .isEqualTo(Problem.Code.UNAUTHENTICATED);
    }
    Problem locked = refused("ann", "correct horse", "10.0.2.1");
    assertThat(locked.code()).isEqualTo(Problem.Code.LOCKED_OUT);
    assertThat(locked.retryAfterSeconds()).isEqualTo(1);
    clock.addAndGet(1000);
    assertThat(refused("ann", "guess", "10.0.2.2").code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
    assertThat(refused("ann", "guess", "10.0.2.3").retryAfterSeconds()).isEqualTo(2);
    clock.addAndGet(2000);
    assertThat(login("ann", "correct horse", "10.0.2.4").name()).isEqualTo("ann");
    assertThat(refused("ann", "guess", "10.0.2.5").code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
  }

  @Test
  void whoIsLoggedInAlreadyIsNotLockedOutByOthersGuesses() {
    login("ann", "correct horse");
    for (int i = 0; i < 10; i++) {
      refused("ann", "guess " + i, "10.0.1." + i);
    }
    assertThat(login("ann", "correct horse", "10.0.0.1").name()).isEqualTo("ann");
  }

  /** Whoever has one address of IPv6 has 2^64 of them; a network counts as one. */
  @Test
  void anAddressOfIpv6CountsByItsNetwork() {
    for (int i = 0; i < 50; i++) {
      refused("nobody" + i, "x", "2001:db8:7:1::" + Integer.toHexString(i));
    }
    assertThat(refused("nobody", "x", "2001:db8:7:1:ffff::1").code())
        .isEqualTo(Problem.Code.LOCKED_OUT);
    assertThat(refused("nobody", "x", "2001:db8:7:2::1").code())
        .isEqualTo(Problem.Code.UNAUTHENTICATED);
    assertThat(Lockout.network("::ffff:10.0.0.1")).isEqualTo("10.0.0.1");
    assertThat(Lockout.network("10.0.0.1")).isNotEqualTo(Lockout.network("10.0.0.2"));
  }

  /** Credential stuffing: many names, a password each, from one address. */
  @Test
  void anAddressThatTriesManyNamesIsLockedOutAndCostsNoMoreWork() {
    for (int i = 0; i < 7; i++) {
      refused("name" + i, "leaked" + i);
    }
    long work =
        work(() -> {
          for (int i = 0; i < 1000; i++) {
            assertThat(refused("victim" + i, "leaked").code()).isEqualTo(Problem.Code.LOCKED_OUT);
          }
        });
    assertThat(work).isZero();
    assertThat(login("ann", "correct horse", "10.0.0.9").name()).isEqualTo("ann");
  }

  @Test
  void theTablesOfFailuresAreBounded() {
    Lockout table = new Lockout(1, 1, 1, 8, clock::get);
    for (int i = 0; i < 1000; i++) {
      table.failed("name" + i);
    }
    assertThat(table.size()).isEqualTo(8);
  }

  @Test
  void whatIsNoLoginIsRefusedWithoutWork() {
    long work =
        work(() -> {
          for (String header :
              List.of(
                  "",
                  "Basic",
                  "Basic %%%",
                  "Basic OjphYg==",
                  "Digest x",
                  "Bearer x",
                  "Basic " + "A".repeat(2000),
                  EdgeFixture.basic("no colon"),
                  EdgeFixture.basic("bad name:x"))) {
            Problem problem =
                catchThrowableOfType(
                    Problem.class, () -> logins.authenticate(header, "a" + header.hashCode()));
            assertThat(problem.code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
          }
          assertThat(
                  catchThrowableOfType(Problem.class, () -> logins.authenticate(null, "a")).code())
              .isEqualTo(Problem.Code.UNAUTHENTICATED);
        });
    assertThat(work).isZero();
  }

  @Test
  void aPasswordThatBcryptWouldCutOffIsNeitherTakenNorRight() {
    String longest = "x".repeat(72);
    user("long", passwords.hash(longest.getBytes(UTF_8)));
    assertThat(login("long", longest).name()).isEqualTo("long");
    assertThat(refused("long", longest + "y").code()).isEqualTo(Problem.Code.UNAUTHENTICATED);
    assertThat(
            catchThrowableOfType(
                    Problem.class, () -> passwords.hash((longest + "y").getBytes(UTF_8)))
                .code())
        .isEqualTo(Problem.Code.INVALID);
  }

  @Test
  void theOperatorsTokenLogsIn() {
    logins.operatorToken("0123456789abcdef");
    assertThat(logins.authenticate("Bearer 0123456789abcdef", "a")).isEqualTo(new Login.Operator());
    assertThat(
            catchThrowableOfType(
                    Problem.class, () -> logins.authenticate("Bearer 0123456789abcdeg", "a"))
                .code())
        .isEqualTo(Problem.Code.UNAUTHENTICATED);
  }
}
