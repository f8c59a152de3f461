package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How the process of a server ends, and when the server comes back. */
@Timeout(60)
class ServerProcessTest {
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Terminal terminal =
      new Terminal(
          new ByteArrayOutputStream(),
          err,
          new ByteArrayInputStream(new byte[0]),
          Map.of(),
          false,
          false);
  private final Fake first = new Fake();
  private final Fake second = new Fake();
  private final List<Integer> ends = Collections.synchronizedList(new ArrayList<>());
  private final ServerProcess process = new ServerProcess(terminal, "server", first, ends::add);

  @AfterEach
  void close() {
    process.close();
  }

  /** A server that fails and closes as it is told. */
  private static final class Fake implements ServerProcess.Served {
    private final CountDownLatch waitedFor = new CountDownLatch(1);
    private final CountDownLatch over = new CountDownLatch(1);
    private volatile boolean restartHelps;
    private volatile boolean closesBadly;
    private volatile boolean closed;

    @Override
    public String awaitFailure() throws InterruptedException {
      waitedFor.countDown();
      over.await();
      return "it failed";
    }

    @Override
    public boolean restartHelps() {
      return restartHelps;
    }

    @Override
    public void close() {
      closed = true;
      over.countDown();
      if (closesBadly) {
        throw new UncheckedIOException(new IOException("made up"));
      }
    }

    void wantsAnotherStart() {
      restartHelps = true;
      over.countDown();
    }
  }

  private FutureTask<Integer> serving() {
    FutureTask<Integer> serving = new FutureTask<>(() -> process.serve(() -> second));
    Thread.ofPlatform().start(serving);
    return serving;
  }

  private String said() {
    return err.toString(UTF_8);
  }

  @Test
  void toldToStopItClosesAndEndsWell() throws Exception {
    FutureTask<Integer> serving = serving();
    first.waitedFor.await();
    process.stop();
    assertThat(first.closed).isTrue();
    assertThat(ends).containsExactly(0);
    // What ended the waiting was no failure, so nobody may halt in the middle of the stop.
    assertThat(serving.get()).isZero();
    assertThat(ends).containsExactly(0);
    assertThat(said()).isEmpty();
  }

  @Test
  void aStopThatFailsIsToldAndIsNoSuccess() {
    first.closesBadly = true;
    process.stop();
    assertThat(ends).containsExactly(Failure.FAILED);
    assertThat(said()).contains("the server was not closed in order", "made up");
  }

  @Test
  void whatCannotGoOnIsNotClosed() throws Exception {
    first.over.countDown();
    assertThat(serving().get()).isEqualTo(Failure.FAILED);
    assertThat(ends).containsExactly(Failure.FAILED);
    assertThat(first.closed).isFalse();
    assertThat(said()).contains("cannot go on: it failed");
  }

  @Test
  void whereAnotherStartHelpsItComesBackThoughNotAllWasClosedInOrder() throws Exception {
    first.closesBadly = true;
    first.wantsAnotherStart();
    FutureTask<Integer> serving = serving();
    second.over.countDown();
    assertThat(serving.get()).isEqualTo(Failure.FAILED);
    assertThat(first.closed).isTrue();
    assertThat(said())
        .contains("it failed: the server starts anew", "not closed in order", "cannot go on");
  }

  @Test
  void whoDoesNotComeBackHasFailed() {
    first.wantsAnotherStart();
    assertThatThrownBy(() ->
            process.serve(() -> {
              throw new IOException("made up");
            }))
        .isInstanceOf(IOException.class);
    assertThat(first.closed).isTrue();
    assertThat(ends).isEmpty();
  }

  @Test
  void toldToStopWhileItStartsAnewItClosesWhatHasStarted() throws Exception {
    Thread stopping = new Thread(process::stop);
    first.wantsAnotherStart();
    int exitCode =
        process.serve(() -> {
          stopping.start();
          while (stopping.getState() != Thread.State.BLOCKED && ends.isEmpty()) {
            Thread.onSpinWait();
          }
          return second;
        });
    stopping.join();
    assertThat(exitCode).isZero();
    assertThat(second.closed).isTrue();
    assertThat(ends).containsExactly(0);
  }

  @Test
  void toldToStopWhileItClosesItDoesNotComeBack() throws Exception {
    Thread stopping = new Thread(process::stop);
    ServerProcess.Served slow =
        new ServerProcess.Served() {
          @Override
          public String awaitFailure() {
            return "it failed";
          }

          @Override
          public boolean restartHelps() {
            return true;
          }

          @Override
          public void close() {
            stopping.start();
            while (stopping.getState() != Thread.State.BLOCKED && ends.isEmpty()) {
              Thread.onSpinWait();
            }
          }
        };
    first.wantsAnotherStart();
    List<ServerProcess.Served> starts = new ArrayList<>(List.of(slow));
    assertThat(process.serve(starts::removeFirst)).isZero();
    stopping.join();
    assertThat(ends).containsExactly(0);
  }
}
