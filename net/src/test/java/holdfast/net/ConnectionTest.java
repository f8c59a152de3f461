package holdfast.net;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Patience;
import holdfast.wire.Reply;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ConnectionTest {
  private static final int ATTEMPTS = 6;

  /** With waits that grow, beginning with a second, it would be half as much again at least. */
  private static final int MOST_SECONDS = 8;

  /** Hears how a session ends. */
  private static final class Ending implements StreamObserver<Reply> {
    final CountDownLatch ended = new CountDownLatch(1);

    @Override
    public void onNext(Reply reply) {}

    @Override
    public void onError(Throwable failure) {
      ended.countDown();
    }

    @Override
    public void onCompleted() {
      ended.countDown();
    }
  }

  @Test
  void whoOpensASessionDoesNotWaitForOlderFailures() throws Exception {
    AtomicInteger tried = new AtomicInteger();
    try (ServerSocket listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Connection connection =
            Connection.to(
                new Endpoint("127.0.0.1", listening.getLocalPort()), (endpoint, identity) -> {})) {
      Thread.ofVirtual().start(() -> hangUp(listening, tried));
      // The first attempt is the first use of all that it needs, which may take its time.
      attempt(connection);
      long begun = System.nanoTime();
      while (tried.get() < ATTEMPTS) {
        attempt(connection);
        assertThat(System.nanoTime() - begun)
            .as("time for %d attempts of %d", tried.get(), ATTEMPTS)
            .isLessThan(TimeUnit.SECONDS.toNanos(MOST_SECONDS));
      }
    }
  }

  /** Opens a session and waits until it has ended. */
  private static void attempt(Connection connection) throws InterruptedException {
    Ending ending = new Ending();
    connection.open(ending);
    assertThat(ending.ended.await(Patience.SECONDS, TimeUnit.SECONDS)).isTrue();
  }

  private static void hangUp(ServerSocket listening, AtomicInteger tried) {
    while (!listening.isClosed()) {
      try {
        Socket accepted = listening.accept();
        tried.incrementAndGet();
        accepted.close();
      } catch (IOException e) {
        // The test is over.
        return;
      }
    }
  }
}
