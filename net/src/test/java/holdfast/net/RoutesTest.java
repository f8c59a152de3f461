package holdfast.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.security.SecureRandom;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Servers are reached where the routes say. */
class RoutesTest {
  private final VerifyKey one = SigningKey.generate(new SecureRandom()).verifyKey();
  private final VerifyKey other = SigningKey.generate(new SecureRandom()).verifyKey();

  @Test
  void theKeyComesFirstThenTheAddress() {
    Routes routes =
        Routes.parse(List.of(one + "=near:1", "stated:5=near:2", "[::1]:7=127.0.0.1:3", "plain=x"));
    assertThat(routes.to(one, new Endpoint("stated", 5))).isEqualTo(new Endpoint("near", 1));
    assertThat(routes.to(other, new Endpoint("stated", 5))).isEqualTo(new Endpoint("near", 2));
    assertThat(routes.to(other, new Endpoint("stated", 6))).isEqualTo(new Endpoint("stated", 6));
    assertThat(routes.to(other, new Endpoint("::1", 7))).isEqualTo(new Endpoint("127.0.0.1", 3));
    assertThat(routes.to(other, new Endpoint("plain", Endpoint.DEFAULT_PORT)))
        .isEqualTo(new Endpoint("x", Endpoint.DEFAULT_PORT));
    assertThat(Routes.NONE.to(one, new Endpoint("a", 1))).isEqualTo(new Endpoint("a", 1));
  }

  @Test
  void whatIsNoRouteIsRefused() {
    for (String text : List.of("a:1", "=a:1", "a:1=", "ed25519:00=a:1", "a:b=c:1")) {
      assertThatThrownBy(() -> Routes.parse(List.of(text)))
          .as(text)
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> Routes.parse(List.of("a:1=b:1", "a:1=c:1")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("two routes to a:1");
  }
}
