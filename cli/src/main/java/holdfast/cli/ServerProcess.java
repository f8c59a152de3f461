package holdfast.cli;

import java.util.concurrent.Callable;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The process of a server: serves until it is told to stop or the server cannot go on, and starts
 * the server anew where that helps.
 *
 * <pre>
 *   told to stop (Ctrl-C, SIGTERM)        closes the server, exit code 0; 1 if that fails
 *   the server fails, another start helps closes it, starts it in the same place, goes on
 *   the server fails otherwise            ends at once, without closing, exit code 1
 * </pre>
 *
 * <p>From the first moment to the last one shutdown hook stands for an orderly end, also while the
 * server is started anew; whoever told the process to stop then waits until that is over. Closing,
 * starting and ending are done under the monitor of this, so that none of them meets another.
 */
final class ServerProcess implements AutoCloseable {
  /** A server that runs. */
  interface Served {
    /** Waits until the server fails, or wants to be started anew, or is closed; returns why. */
    String awaitFailure() throws InterruptedException;

    /** Whether another start gets rid of what is in the way. */
    boolean restartHelps() throws InterruptedException;

    /** Ends requests, writes what waits, and stops. */
    void close();
  }

  private final Terminal terminal;
  private final String name;
  private final IntConsumer halt;
  private final Thread hook = new Thread(this::stop, "holdfast-stop");

  /** Null when none runs; guarded by this. */
  private @Nullable Served running;

  private volatile boolean stopping;

  /** What was not closed in order and not started anew since; guarded by this. */
  private boolean leftOpen;

  /**
   * The process of a server that has been started.
   *
   * @param name what is served, as it is called in what is said about it
   */
  ServerProcess(Terminal terminal, String name, Served first) {
    this(terminal, name, first, Runtime.getRuntime()::halt);
  }

  /** The same with another end of the process. */
  ServerProcess(Terminal terminal, String name, Served first, IntConsumer halt) {
    this.terminal = terminal;
    this.name = name;
    this.running = first;
    this.halt = halt;
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /**
   * Waits until the process is to end.
   *
   * @param again starts the server in its place
   * @return the exit code
   */
  int serve(Callable<? extends Served> again) throws Exception {
    try {
      Served serving = current();
      while (serving != null) {
        String reason = serving.awaitFailure();
        // What ends because the process is told to stop has not failed.
        if (!stopping && !serving.restartHelps()) {
          return cannotGoOn(reason);
        }
        serving = startAnew(reason, again);
      }
      return 0;
    } catch (InterruptedException e) {
      return closed() ? 0 : Failure.FAILED;
    }
  }

  private synchronized @Nullable Served current() {
    return running;
  }

  /** Null when the process is told to stop; then the hook brings it to its end. */
  private synchronized @Nullable Served startAnew(String reason, Callable<? extends Served> again)
      throws Exception {
    if (stopping) {
      return null;
    }
    terminal.note("holdfast: " + reason + ": the " + name + " starts anew");
    // If something stays open, the start refuses by itself.
    closed();
    if (!stopping) {
      running = again.call();
      leftOpen = false;
    }
    return running;
  }

  private synchronized int cannotGoOn(String reason) {
    if (stopping) {
      return 0;
    }
    terminal.note("holdfast: the " + name + " cannot go on: " + reason);
    terminal.note("  Nothing acknowledged is lost. Look at the disk, then start it again.");
    // No orderly end: nothing may be written any more, and the shutdown hook would try.
    running = null;
    halt.accept(Failure.FAILED);
    return Failure.FAILED;
  }

  /** Runs when the process is told to stop. An orderly stop is a success, not death by a signal. */
  void stop() {
    stopping = true;
    synchronized (this) {
      halt.accept(closed() ? 0 : Failure.FAILED);
    }
  }

  /** Closes what runs; whether that went well, and what was closed before did. */
  private synchronized boolean closed() {
    Served ending = running;
    running = null;
    try {
      if (ending != null) {
        ending.close();
      }
    } catch (RuntimeException | Error e) {
      terminal.note("holdfast: the " + name + " was not closed in order: " + e);
      leftOpen = true;
    }
    return !leftOpen;
  }

  /** Closes what still runs, and takes the hook away. */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The process is told to stop, and the hook does the rest.
      return;
    }
    closed();
  }
}
