package holdfast.node.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.wire.Heartbeat;
import java.security.SecureRandom;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** An error ends the heartbeats neither for good nor of others. */
class HeartbeatsGoOnTest {
  private static final Hash CAPSULE = Hash.of(new byte[32]);

  private final VerifyKey one = SigningKey.ofSeed(new byte[32]).verifyKey();
  private final VerifyKey other = SigningKey.generate(new SecureRandom()).verifyKey();

  /** Errs at the first look, then knows two peers and errs at each. */
  private final class Erring implements Acquaintances {
    private final CompletableFuture<Integer> askedAtTheSecondLook = new CompletableFuture<>();

    // For the timer's thread alone.
    private int looks;
    private final Set<VerifyKey> asked = new HashSet<>();

    @Override
    public Map<VerifyKey, Hash> all() {
      looks++;
      if (looks == 1) {
        throw new AssertionError("planted");
      }
      if (looks == 3) {
        askedAtTheSecondLook.complete(asked.size());
      }
      return Map.of(one, CAPSULE, other, CAPSULE);
    }

    @Override
    public boolean share(Hash capsule, VerifyKey with) {
      return true;
    }

    @Override
    public Connection connection(VerifyKey to, Hash capsule) {
      asked.add(to);
      throw new AssertionError("planted");
    }
  }

  @Test
  void anErrorEndsThemNeitherForGoodNorForOthers() throws Exception {
    Erring erring = new Erring();
    try (Heartbeats heartbeats = new Heartbeats(20, erring, capsule -> Heartbeat.newBuilder())) {
      heartbeats.start();
      assertThat(erring.askedAtTheSecondLook.get(20, TimeUnit.SECONDS)).isEqualTo(2);
    }
  }
}
