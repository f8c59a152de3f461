package holdfast.edge;

import java.net.InetAddress;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Slows down who guesses passwords: after some wrong ones in a row, a name has to wait, twice as
 * long each time. Used once for users and once for addresses. The table is bounded; what was
 * longest not heard of is forgotten first.
 *
 * <p>Names of users that do not exist are counted like others.
 */
final class Lockout {
  private static final int NETWORK_BYTES = 8;

  private final int free;
  private final long firstMillis;
  private final long mostMillis;
  private final int most;
  private final LongSupplier clockMillis;
  private final LinkedHashMap<String, Failures> table;

  private record Failures(int count, long untilMillis, long lastMillis) {}

  /**
   * A table.
   *
   * @param free wrong logins in a row that cost nothing
   * @param firstMillis the wait after the first one more
   * @param mostMillis the longest wait; after ten times as long without a failure all is forgotten
   * @param most names in the table
   * @param clockMillis a clock that only goes forward
   */
  Lockout(int free, long firstMillis, long mostMillis, int most, LongSupplier clockMillis) {
    this.free = free;
    this.firstMillis = firstMillis;
    this.mostMillis = mostMillis;
    this.most = most;
    this.clockMillis = clockMillis;
    this.table =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<String, Failures> eldest) {
            return size() > Lockout.this.most;
          }
        };
  }

  /**
   * What counts as one address: an IPv4 address, or the first 64 bits of one of IPv6, of which
   * whoever has one has all.
   *
   * @param address as the socket says it, without a name
   */
  static String network(String address) {
    if (address.indexOf(':') < 0) {
      return address;
    }
    try {
      InetAddress parsed = InetAddress.ofLiteral(address);
      byte[] bytes = parsed.getAddress();
      // An IPv4 address that is written in IPv6 is read as what it is.
      return bytes.length == 4
          ? parsed.getHostAddress()
          : HexFormat.of().formatHex(bytes, 0, NETWORK_BYTES) + "/64";
    } catch (IllegalArgumentException e) {
      return address;
    }
  }

  /** How long a name has to wait from now on; 0 when it may try. */
  synchronized long waitMillis(String name) {
    Failures known = table.get(name);
    return known == null ? 0 : Math.max(0, known.untilMillis() - clockMillis.getAsLong());
  }

  /** A login was wrong. */
  synchronized void failed(String name) {
    long now = clockMillis.getAsLong();
    Failures known = table.get(name);
    int count = known == null || now - known.lastMillis() > 10 * mostMillis ? 1 : known.count() + 1;
    long wait =
        count <= free ? 0 : Math.min(mostMillis, firstMillis << Math.min(30, count - free - 1));
    table.put(name, new Failures(count, now + wait, now));
  }

  /** A login was right. */
  synchronized void succeeded(String name) {
    table.remove(name);
  }

  /** A login was right, which makes up for one that was wrong. */
  synchronized void excused(String name) {
    Failures known = table.get(name);
    if (known != null) {
      if (known.count() > 1) {
        table.put(name, new Failures(known.count() - 1, known.untilMillis(), known.lastMillis()));
      } else {
        table.remove(name);
      }
    }
  }

  synchronized int size() {
    return table.size();
  }
}
