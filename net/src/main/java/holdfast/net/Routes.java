package holdfast.net;

import holdfast.crypto.VerifyKey;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Where servers are reached, when it is not at the address that is stated for them: behind NAT,
 * through a tunnel, or in a test through a proxy with faults. Only the way changes: the server at
 * its end must still prove that it is the one that is meant.
 *
 * @param byIdentity where the server with a key is reached; looked at first
 * @param byAddress where the server that is stated to be at an address is reached
 */
public record Routes(Map<VerifyKey, Endpoint> byIdentity, Map<Endpoint, Endpoint> byAddress) {
  /** Every server is reached where it is stated to be. */
  public static final Routes NONE = new Routes(Map.of(), Map.of());

  /** Copies the maps. */
  public Routes {
    byIdentity = Map.copyOf(byIdentity);
    byAddress = Map.copyOf(byAddress);
  }

  /**
   * Reads routes, each written {@code KEY=HOST:PORT} or {@code HOST:PORT=HOST:PORT}.
   *
   * @throws IllegalArgumentException when one is neither, or two begin alike
   */
  public static Routes parse(List<String> texts) {
    Map<VerifyKey, Endpoint> byIdentity = new HashMap<>();
    Map<Endpoint, Endpoint> byAddress = new HashMap<>();
    for (String text : texts) {
      int equals = text.indexOf('=');
      if (equals < 1 || equals == text.length() - 1) {
        throw new IllegalArgumentException(
            "a route is written KEY=HOST:PORT or HOST:PORT=HOST:PORT, not " + text);
      }
      String from = text.substring(0, equals);
      Endpoint to = Endpoint.parse(text.substring(equals + 1));
      boolean key = from.startsWith(VerifyKey.TEXT_PREFIX);
      Endpoint before =
          key ? byIdentity.put(VerifyKey.parse(from), to) : byAddress.put(Endpoint.parse(from), to);
      if (before != null) {
        throw new IllegalArgumentException("there are two routes to " + from);
      }
    }
    return new Routes(byIdentity, byAddress);
  }

  /** Where a server is reached that is stated to be at an address. */
  public Endpoint to(VerifyKey identity, Endpoint stated) {
    Endpoint named = byIdentity.get(identity);
    return named != null ? named : byAddress.getOrDefault(stated, stated);
  }
}
