package holdfast.edge;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.Iterator;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Finds out who makes a request.
 *
 * <p>A password is checked with bcrypt once; then the login is known again by a hash under a random
 * key of this process, for a while, as long as the user's own hash has not changed. So a request
 * costs no bcrypt, a change of a password or the removal of a user holds from the next request on,
 * and what is in memory is of no use elsewhere.
 */
final class Logins {
  static final String BASIC = "Basic ";
  static final String BEARER = "Bearer ";

  private static final int MOST_HEADER = 1024;
  private static final int STRIPES = 64;

  private final Function<String, EdgeLeaf.@Nullable User> users;
  private final Passwords passwords;
  private final LoginLimits limits;
  private final LongSupplier clockMillis;
  private final byte[] processKey = new byte[32];
  private final Lockout byUser;
  private final Lockout byAddress;
  private final ConcurrentHashMap<Hash, Verified> cache = new ConcurrentHashMap<>();
  private final ReentrantLock[] stripes = new ReentrantLock[STRIPES];
  private final Semaphore hashing;
  private volatile byte @Nullable [] operatorToken;

  /** Called with a user and its password in clear when its hash should be made anew. */
  private volatile BiConsumer<EdgeLeaf.User, String> upgrade = (user, hash) -> {};

  private record Verified(String user, String passwordHash, long untilMillis) {
    Verified until(long millis) {
      return new Verified(user, passwordHash, millis);
    }
  }

  /**
   * Numbers that bound what logins cost.
   *
   * @param cached logins known at once
   * @param cachedMillis how long one is known after its last use, give or take half
   * @param hashing passwords checked at the same time
   * @param waitMillis how long a login waits for its turn to be checked
   * @param names names and addresses in the tables of failures
   * @param freePerUser wrong logins in a row of a user that cost nothing
   * @param freePerAddress the same of an address
   */
  record LoginLimits(
      int cached,
      long cachedMillis,
      int hashing,
      long waitMillis,
      int names,
      int freePerUser,
      int freePerAddress) {
    static LoginLimits defaults() {
      int cores = Runtime.getRuntime().availableProcessors();
      return new LoginLimits(10_000, 600_000, Math.max(1, cores / 2), 5000, 20_000, 5, 20);
    }
  }

  Logins(
      Function<String, EdgeLeaf.@Nullable User> users,
      Passwords passwords,
      LoginLimits limits,
      LongSupplier clockMillis) {
    this.users = users;
    this.passwords = passwords;
    this.limits = limits;
    this.clockMillis = clockMillis;
    this.byUser = new Lockout(limits.freePerUser(), 1000, 60_000, limits.names(), clockMillis);
    this.byAddress =
        new Lockout(limits.freePerAddress(), 1000, 300_000, limits.names(), clockMillis);
    this.hashing = new Semaphore(limits.hashing(), true);
    new SecureRandom().nextBytes(processKey);
    Arrays.setAll(stripes, i -> new ReentrantLock());
  }

  void operatorToken(String token) {
    operatorToken = token.getBytes(StandardCharsets.US_ASCII);
  }

  void onUpgrade(BiConsumer<EdgeLeaf.User, String> consumer) {
    upgrade = consumer;
  }

  /**
   * Who an Authorization header says it is, if that is true.
   *
   * @param header null when there is none
   * @param clientAddress of the client; of IPv6 all of a network of 64 bits count as one
   * @throws Problem UNAUTHENTICATED, LOCKED_OUT or BUSY
   */
  Login authenticate(@Nullable String header, String clientAddress) {
    String address = Lockout.network(clientAddress);
    if (header == null || header.length() > MOST_HEADER) {
      throw unauthenticated();
    }
    if (header.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
      return operator(header.substring(BEARER.length()), address);
    }
    byte[] pair = decode(header, address);
    try {
      // Of what the header says and not of how it is written: one login is known once.
      Hash id = idOf(pair);
      EdgeLeaf.User known = known(id);
      return new Login.Known(known == null ? verify(pair, id, address) : known);
    } finally {
      Arrays.fill(pair, (byte) 0);
    }
  }

  /** The user with a name, for logins that need no password. */
  Login certified(String name) {
    EdgeLeaf.User user = users.apply(name);
    if (user == null) {
      throw unauthenticated();
    }
    return new Login.Known(user);
  }

  static Problem unauthenticated() {
    return new Problem(Problem.Code.UNAUTHENTICATED, "a user name and its password are needed");
  }

  /** The same whether there is such a user or not. */
  private static Problem wrong() {
    return new Problem(Problem.Code.UNAUTHENTICATED, "the user name or the password is wrong");
  }

  private Hash idOf(byte[] pair) {
    byte[] keyed = Arrays.copyOf(processKey, processKey.length + pair.length);
    System.arraycopy(pair, 0, keyed, processKey.length, pair.length);
    try {
      return Sha256.get().hash(Domain.LOGIN, keyed);
    } finally {
      Arrays.fill(keyed, (byte) 0);
    }
  }

  private EdgeLeaf.@Nullable User known(Hash id) {
    Verified verified = cache.get(id);
    if (verified == null) {
      return null;
    }
    EdgeLeaf.User user = users.apply(verified.user());
    long now = clockMillis.getAsLong();
    if (user == null
        || !user.passwordHash().equals(verified.passwordHash())
        || now >= verified.untilMillis()) {
      cache.remove(id, verified);
      return null;
    }
    // Who goes on is not kept out by the guesses of others; a changed password ends it all the
    // same. Not with each request: half of the time is enough.
    if (verified.untilMillis() - now <= limits.cachedMillis() / 2) {
      cache.replace(id, verified, verified.until(now + limits.cachedMillis()));
    }
    return user;
  }

  private Login operator(String given, String address) {
    requireUnlocked(byAddress, address);
    byte[] token = operatorToken;
    if (token == null
        || !MessageDigest.isEqual(token, given.strip().getBytes(StandardCharsets.ISO_8859_1))) {
      byAddress.failed(address);
      throw unauthenticated();
    }
    return new Login.Operator();
  }

  private static void requireUnlocked(Lockout table, String name) {
    long wait = table.waitMillis(name);
    if (wait > 0) {
      throw new Problem(
          Problem.Code.LOCKED_OUT,
          "there were too many wrong logins; wait before the next",
          (wait + 999) / 1000);
    }
  }

  private EdgeLeaf.User verify(byte[] pair, Hash id, String address) {
    requireUnlocked(byAddress, address);
    int colon = indexOf(pair, (byte) ':');
    String name = utf8(pair, colon);
    if (colon < 1 || name == null || !EdgeLeaf.isName(name)) {
      byAddress.failed(address);
      throw wrong();
    }
    byte[] password = Arrays.copyOfRange(pair, colon + 1, pair.length);
    // The same login may come on many connections at once; one of them is enough to check it.
    ReentrantLock stripe = stripes[Math.floorMod(id.hashCode(), STRIPES)];
    boolean mine = false;
    try {
      mine = stripe.tryLock(limits.waitMillis(), TimeUnit.MILLISECONDS);
      if (!mine) {
        throw busy();
      }
      EdgeLeaf.User known = known(id);
      return known == null ? check(name, password, id, address) : known;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Problem(Problem.Code.STOPPING, "the edge is stopping", 1);
    } finally {
      if (mine) {
        stripe.unlock();
      }
      Arrays.fill(password, (byte) 0);
    }
  }

  private static Problem busy() {
    return new Problem(Problem.Code.BUSY, "too many logins are being checked", 1);
  }

  private EdgeLeaf.User check(String name, byte[] password, Hash id, String address) {
    EdgeLeaf.User user = turn(name, password, address);
    byUser.succeeded(name);
    // One account of one's own does not pay for guesses at those of others.
    byAddress.excused(address);
    remember(id, user);
    if (passwords.outdated(user.passwordHash())) {
      upgrade.accept(user, passwords.hash(password));
    }
    return user;
  }

  /** Checks a password when its turn has come, unless guesses before it have locked the name. */
  private EdgeLeaf.User turn(String name, byte[] password, String address) {
    boolean mine = false;
    try {
      mine = hashing.tryAcquire(limits.waitMillis(), TimeUnit.MILLISECONDS);
      if (!mine) {
        throw busy();
      }
      requireUnlocked(byAddress, address);
      requireUnlocked(byUser, name);
      EdgeLeaf.User user = users.apply(name);
      boolean right = passwords.verify(password, user == null ? null : user.passwordHash());
      if (user == null || !right) {
        byUser.failed(name);
        byAddress.failed(address);
        throw wrong();
      }
      return user;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Problem(Problem.Code.STOPPING, "the edge is stopping", 1);
    } finally {
      if (mine) {
        hashing.release();
      }
    }
  }

  private void remember(Hash id, EdgeLeaf.User user) {
    long now = clockMillis.getAsLong();
    if (cache.size() >= limits.cached()) {
      cache.values().removeIf(one -> one.untilMillis() <= now);
      Iterator<Hash> any = cache.keySet().iterator();
      while (cache.size() >= limits.cached() && any.hasNext()) {
        any.next();
        any.remove();
      }
    }
    cache.put(id, new Verified(user.name(), user.passwordHash(), now + limits.cachedMillis()));
  }

  int cached() {
    return cache.size();
  }

  private byte[] decode(String header, String address) {
    try {
      if (header.regionMatches(true, 0, BASIC, 0, BASIC.length())) {
        return Base64.getDecoder().decode(header.substring(BASIC.length()).strip());
      }
    } catch (IllegalArgumentException e) {
      requireUnlocked(byAddress, address);
      throw wrong();
    }
    requireUnlocked(byAddress, address);
    throw wrong();
  }

  private static int indexOf(byte[] bytes, byte wanted) {
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == wanted) {
        return i;
      }
    }
    return -1;
  }

  private static @Nullable String utf8(byte[] bytes, int length) {
    try {
      return length < 0
          ? null
          : StandardCharsets.UTF_8
              .newDecoder()
              .decode(ByteBuffer.wrap(bytes, 0, length))
              .toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }
}
