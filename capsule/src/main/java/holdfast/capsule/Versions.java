package holdfast.capsule;

import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;

/**
 * The versions of the protocol that one side speaks, all from the lowest to the highest. Each side
 * states its own in its first message, and the highest that both speak is used.
 *
 * @param lowest the lowest version, 1 or more
 * @param highest the highest version, at most 65,535
 */
public record Versions(int lowest, int highest) {
  /** What this software speaks. */
  public static final Versions SPOKEN = new Versions(1, 1);

  /** What a side speaks that states nothing. */
  public static final Versions UNSTATED = new Versions(1, 1);

  /** Checks the range. */
  public Versions {
    if (lowest < 1 || highest < lowest || highest > 0xFFFF) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          "protocol versions go from 1 or more upwards, not from " + lowest + " to " + highest);
    }
  }

  /**
   * The version to use.
   *
   * @param server the other side's versions; this is the client's
   * @throws HoldfastException {@link ErrorCode#VERSION} when there is none in common
   */
  public int commonWith(Versions server) {
    int highestCommon = Math.min(highest, server.highest);
    if (highestCommon < Math.max(lowest, server.lowest)) {
      throw new HoldfastException(
          ErrorCode.VERSION,
          "the client speaks protocol versions "
              + this
              + ", the server "
              + server
              + "; there is none in common");
    }
    return highestCommon;
  }

  void encode(Encoder out) {
    out.u16(lowest).u16(highest);
  }

  @Override
  public String toString() {
    return lowest + " to " + highest;
  }
}
