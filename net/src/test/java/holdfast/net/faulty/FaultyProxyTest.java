package holdfast.net.faulty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.net.Endpoint;
import holdfast.net.faulty.FaultyProxy.Direction;
import holdfast.testkit.Patience;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A client and a target, and the proxy between them. */
class FaultyProxyTest {
  private static final Endpoint ANY = new Endpoint("127.0.0.1", 0);
  private static final int PATIENCE_MILLIS = Patience.MILLIS;

  /** How long nothing has to come before it is taken for stalled. */
  private static final int QUIET_MILLIS = 150;

  private ServerSocket listening;
  private FaultyProxy proxy;

  @BeforeEach
  void listen() throws IOException {
    listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    listening.setSoTimeout(PATIENCE_MILLIS);
    proxy = FaultyProxy.forward(ANY, new Endpoint("127.0.0.1", listening.getLocalPort()));
  }

  @AfterEach
  void close() throws IOException {
    proxy.close();
    listening.close();
  }

  /** Both ends of a connection through the proxy. */
  private record Ends(Socket client, Socket target) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      client.close();
      target.close();
    }
  }

  private Ends connect() throws IOException {
    Socket client = client();
    Socket target = listening.accept();
    target.setSoTimeout(PATIENCE_MILLIS);
    return new Ends(client, target);
  }

  private Socket client() throws IOException {
    Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.endpoint().port());
    client.setSoTimeout(PATIENCE_MILLIS);
    return client;
  }

  private static void expectNothing(Socket socket) throws IOException {
    socket.setSoTimeout(QUIET_MILLIS);
    assertThatThrownBy(() -> socket.getInputStream().read())
        .isInstanceOf(SocketTimeoutException.class);
    socket.setSoTimeout(PATIENCE_MILLIS);
  }

  private static long millisSince(long begunNanos) {
    return (System.nanoTime() - begunNanos) / 1_000_000;
  }

  private void awaitNoConnections() {
    long begun = System.nanoTime();
    while (proxy.connections() > 0) {
      assertThat(millisSince(begun)).as("the connection goes").isLessThan(PATIENCE_MILLIS);
      LockSupport.parkNanos(1_000_000);
    }
  }

  @Test
  void everyByteComesThroughBothWaysAndIsCounted() throws Exception {
    byte[] sent = new byte[(24 << 20) + 7];
    new Random(1).nextBytes(sent);
    try (Ends ends = connect()) {
      Thread echo =
          Thread.startVirtualThread(() -> {
            try {
              // All of it first: an end passes through while the other direction goes on.
              byte[] all = ends.target().getInputStream().readAllBytes();
              ends.target().getOutputStream().write(all);
              ends.target().shutdownOutput();
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          });
      ends.client().getOutputStream().write(sent);
      ends.client().shutdownOutput();
      assertThat(ends.client().getInputStream().readAllBytes()).isEqualTo(sent);
      echo.join();
    }
    assertThat(proxy.bytes(Direction.TO_TARGET)).isEqualTo(sent.length);
    assertThat(proxy.bytes(Direction.FROM_TARGET)).isEqualTo(sent.length);
    awaitNoConnections();
  }

  @Test
  void aDelayHoldsForEveryPieceAndPiecesTravelTogether() throws Exception {
    try (Ends ends = connect()) {
      proxy.set(Faults.NONE.withDelayMillis(100));
      long begun = System.nanoTime();
      for (int i = 0; i < 100; i++) {
        ends.client().getOutputStream().write(i);
        // One piece each, so that each would wait for the one before if they did not overlap.
        ends.client().getOutputStream().flush();
      }
      assertThat(ends.target().getInputStream().readNBytes(1)).isEqualTo(new byte[] {0});
      assertThat(millisSince(begun)).isGreaterThanOrEqualTo(100);
      for (int i = 1; i < 100; i++) {
        assertThat(ends.target().getInputStream().read()).isEqualTo(i);
      }
      ends.target().getOutputStream().write(1);
      assertThat(ends.client().getInputStream().read()).isEqualTo(1);
      assertThat(millisSince(begun)).isBetween(200L, 9_000L);
      // Without delay again nothing overtakes what is under way.
      ends.client().getOutputStream().write(new byte[] {5, 6});
      proxy.set(Faults.NONE);
      ends.client().getOutputStream().write(new byte[] {7, 8});
      assertThat(ends.target().getInputStream().readNBytes(4)).containsExactly(5, 6, 7, 8);
    }
  }

  @Test
  void aStalledDirectionHoldsEverythingBackAndTheOtherGoesOn() throws Exception {
    try (Ends ends = connect()) {
      proxy.set(Direction.TO_TARGET, Faults.NONE.withStalled(true));
      ends.client().getOutputStream().write(1);
      ends.target().getOutputStream().write(2);
      assertThat(ends.client().getInputStream().read()).isEqualTo(2);
      expectNothing(ends.target());
      assertThat(proxy.bytes(Direction.TO_TARGET)).isZero();
      proxy.set(Direction.TO_TARGET, Faults.NONE);
      assertThat(ends.target().getInputStream().read()).isEqualTo(1);
    }
  }

  @Test
  void whoConnectsWhileStalledReachesTheTargetLater() throws Exception {
    proxy.set(Faults.NONE.withStalled(true));
    try (Socket client = client()) {
      client.getOutputStream().write(3);
      listening.setSoTimeout(QUIET_MILLIS);
      assertThatThrownBy(listening::accept).isInstanceOf(SocketTimeoutException.class);
      listening.setSoTimeout(PATIENCE_MILLIS);
      proxy.set(Faults.NONE);
      try (Socket target = listening.accept()) {
        assertThat(target.getInputStream().read()).isEqualTo(3);
      }
    }
  }

  @Test
  void aResetIsNewsToo() throws Exception {
    try (Ends ends = connect()) {
      proxy.set(Direction.FROM_TARGET, Faults.NONE.withStalled(true));
      ends.target().setSoLinger(true, 0);
      ends.target().close();
      expectNothing(ends.client());
      proxy.set(Direction.FROM_TARGET, Faults.NONE);
      assertThatThrownBy(() -> ends.client().getInputStream().read())
          .isInstanceOf(SocketException.class);
    }
    awaitNoConnections();
  }

  @Test
  void aBandwidthIsKept() throws Exception {
    try (Ends ends = connect()) {
      AtomicReference<IOException> failure = new AtomicReference<>();
      proxy.set(Direction.TO_TARGET, Faults.NONE.withBytesPerSecond(1_000_000));
      long begun = System.nanoTime();
      Thread sender =
          Thread.startVirtualThread(() -> {
            try {
              ends.client().getOutputStream().write(new byte[400_000]);
            } catch (IOException e) {
              failure.set(e);
            }
          });
      ends.target().getInputStream().readNBytes(400_000);
      // The first fiftieth of a second's bytes go at once.
      assertThat(millisSince(begun)).isBetween(370L, 30_000L);
      sender.join();
      assertThat(failure.get()).isNull();
    }
  }

  @Test
  void cutConnectionsAreResetAndNewOnesAreTaken() throws Exception {
    try (Ends ends = connect()) {
      ends.client().getOutputStream().write(1);
      assertThat(ends.target().getInputStream().read()).isEqualTo(1);
      proxy.cut();
      assertThatThrownBy(() -> ends.client().getInputStream().read())
          .isInstanceOf(SocketException.class);
      assertThatThrownBy(() -> ends.target().getInputStream().read())
          .isInstanceOf(SocketException.class);
    }
    assertThat(proxy.connections()).isZero();
    try (Ends again = connect()) {
      again.client().getOutputStream().write(2);
      assertThat(again.target().getInputStream().read()).isEqualTo(2);
    }
  }

  @Test
  void aTargetThatRefusesIsSeenAsAReset() throws Exception {
    listening.close();
    try (Socket client = client()) {
      assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
    }
  }

  @Test
  void faultsHaveBounds() {
    assertThatThrownBy(() -> Faults.NONE.withDelayMillis(-1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Faults.NONE.withDelayMillis(60_001))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Faults.NONE.withBytesPerSecond(-1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
