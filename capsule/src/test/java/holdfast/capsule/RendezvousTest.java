package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.crypto.VerifyKey;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Which servers a capsule goes to when nobody names them. */
class RendezvousTest {
  private static final int CAPSULES = 4000;
  private static final int SERVERS = 8;
  private static final int COPIES = 3;

  private final List<VerifyKey> servers = new ArrayList<>();
  private final List<Hash> capsules = new Gen(7).list(CAPSULES, new Gen(8)::hash);

  RendezvousTest() {
    for (int i = 0; i < SERVERS; i++) {
      servers.add(Fixture.key(0x51 + i).verifyKey());
    }
  }

  @Test
  void theOrderInWhichServersAreNamedPlaysNoPart() {
    List<VerifyKey> mixed = new ArrayList<>(servers);
    mixed.addAll(servers);
    Collections.shuffle(mixed, new Random(3));
    for (Hash capsule : capsules.subList(0, 50)) {
      List<VerifyKey> chosen = Rendezvous.choose(capsule, servers, COPIES);
      assertThat(chosen).hasSize(COPIES).doesNotHaveDuplicates();
      assertThat(Rendezvous.choose(capsule, mixed, COPIES)).isEqualTo(chosen);
      // More copies keep those that there were.
      assertThat(Rendezvous.choose(capsule, servers, COPIES + 1))
          .startsWith(chosen.toArray(VerifyKey[]::new));
      for (VerifyKey server : chosen) {
        Hash least = Rendezvous.weight(capsule, chosen.getLast());
        assertThat(Rendezvous.weight(capsule, server)).isGreaterThanOrEqualTo(least);
      }
    }
    assertThatThrownBy(() -> Rendezvous.choose(capsules.getFirst(), servers, SERVERS + 1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Rendezvous.choose(capsules.getFirst(), servers, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Within five standard deviations of a fair draw. */
  @Test
  void capsulesSpreadEvenly() {
    Map<VerifyKey, Integer> kept = new HashMap<>();
    for (Hash capsule : capsules) {
      Rendezvous.choose(capsule, servers, COPIES).forEach(one -> kept.merge(one, 1, Integer::sum));
    }
    double share = (double) COPIES / SERVERS;
    double spread = 5 * Math.sqrt(CAPSULES * share * (1 - share));
    assertThat(kept).hasSize(SERVERS);
    kept.values()
        .forEach(count -> assertThat(Math.abs(count - CAPSULES * share)).isLessThan(spread));
  }

  @Test
  void onlyWhatWasOnAServerThatLeavesMoves() {
    VerifyKey leaving = servers.get(2);
    List<VerifyKey> rest = servers.stream().filter(one -> !one.equals(leaving)).toList();
    int moved = 0;
    for (Hash capsule : capsules) {
      List<VerifyKey> before = Rendezvous.choose(capsule, servers, COPIES);
      HashSet<VerifyKey> after = new HashSet<>(Rendezvous.choose(capsule, rest, COPIES));
      after.removeAll(before);
      assertThat(after).hasSize(before.contains(leaving) ? 1 : 0);
      moved += after.size();
    }
    // The other way round it is what a server that joins takes over.
    assertThat(moved).isBetween(CAPSULES * COPIES / SERVERS / 2, CAPSULES * COPIES / SERVERS * 2);
  }
}
