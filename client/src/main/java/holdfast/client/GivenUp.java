package holdfast.client;

import holdfast.capsule.Statement;
import java.util.Set;

/**
 * What an owner does without, so that a move can end though servers that left may have something
 * alone. Each thing is named: who gives up one server goes on waiting for the others.
 *
 * @param servers that left, by identity or HOST:PORT, whatever they have and whether or not they
 *     answer
 * @param unsigned records that their writers have not signed, on whichever server that left
 * @param unknown placements between those that are known, which no server shows
 */
public record GivenUp(Set<String> servers, boolean unsigned, boolean unknown) {
  /** Nothing is given up. */
  public static final GivenUp NOTHING = new GivenUp(Set.of(), false, false);

  /** Copies the names. */
  public GivenUp {
    servers = Set.copyOf(servers);
  }

  /** These servers, by identity or HOST:PORT. */
  public static GivenUp servers(String... named) {
    return new GivenUp(Set.of(named), false, false);
  }

  /** Whether a server is given up by name. */
  public boolean names(Statement.Placement.Member member) {
    return servers.contains(member.address()) || servers.contains(member.identity().toString());
  }
}
