package holdfast.sim;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.capsule.Record;
import holdfast.sync.Effect;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What one honest server makes of a peer that lies; nothing false is ever held. */
class LiarTest {
  private static final int WORLDS = 30;

  /** How the honest side's rounds ended, one world for each seed. */
  private static List<String> endings(Liar.Trick trick) {
    List<String> endings = new ArrayList<>();
    for (long seed = 0; seed < WORLDS; seed++) {
      World world = new World(seed, Bug.NONE);
      world.dag().grow(20);
      world.dag().signTips();
      for (Record record : world.dag().records()) {
        world.written().put(record.name(), record);
      }
      Server server = world.servers().getFirst();
      server.put(
          world.dag().records().subList(0, world.gen().below(20)),
          world.dag().signatures(),
          () -> {});
      world.drain();
      Set<Item> before = Model.of(server.replica(), world.written()).entries(false);

      RoundOptions options =
          RoundOptions.defaults().withStrategy(world.gen().pick(List.of(Strategy.values())));
      int liar = world.servers().size();
      Connection connection = new Connection(world, 0, liar, options.strategy());
      Session honest = new Session(world, server, liar, 0, connection, options, false);
      connection.open(honest, new Liar(world, 1, connection, options, trick));
      world.drain();

      // The oracle has looked at the replica after every event; here, that nothing was lost.
      assertThat(Model.of(server.replica(), world.written()).entries(false)).containsAll(before);
      Effect result = honest.result();
      endings.add(result == null ? "waits" : result.getClass().getSimpleName());
    }
    return endings;
  }

  @ParameterizedTest
  @EnumSource(
      value = Liar.Trick.class,
      names = {"GARBAGE", "FORGES", "FOREIGN", "UNDEAD", "MUTATES", "SHUFFLES", "DAWDLES"})
  void d32WhatIsFalseIsCalledALie(Liar.Trick trick) {
    assertThat(endings(trick)).contains("Lied");
  }

  @Test
  void forgeriesAreNeverBelieved() {
    assertThat(endings(Liar.Trick.FORGES)).doesNotContain("GaveUp");
    assertThat(endings(Liar.Trick.FOREIGN)).doesNotContain("GaveUp");
  }

  @Test
  void silenceIsNoLie() {
    assertThat(endings(Liar.Trick.SILENT)).contains("waits").doesNotContain("Lied");
  }

  @ParameterizedTest
  @EnumSource(
      value = Liar.Trick.class,
      names = {"ENDLESS", "REPEATS"})
  void whatNothingProvesIsHeldBackAndForgotten(Liar.Trick trick) {
    assertThat(endings(trick)).contains("Finished");
  }

  @Test
  void whoAgreesToEverythingHarmsOnlyWhatIsKnownOfIt() {
    assertThat(endings(Liar.Trick.AGREES)).contains("Finished");
  }
}
