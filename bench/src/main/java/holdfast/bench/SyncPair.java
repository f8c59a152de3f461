package holdfast.bench;

import holdfast.base.Hash;
import holdfast.net.Endpoint;
import holdfast.net.faulty.Faults;
import holdfast.net.faulty.FaultyProxy;
import holdfast.sync.Effect;
import holdfast.sync.Input;
import holdfast.sync.MemoryReplica;
import holdfast.sync.Progress;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** One round between two replicas in memory, over a TCP connection that a proxy delays. */
final class SyncPair {
  /** What a round took, as both sides saw it. */
  record Result(double seconds, Progress first, Progress second, int turns) {
    /** Bytes on the way in both directions beyond the records and signatures themselves. */
    long overhead() {
      return first.bytesSent()
          + second.bytesSent()
          - first.recordBytesSent()
          - second.recordBytesSent();
    }
  }

  private record Ended(Progress progress, int turns) {}

  private SyncPair() {}

  static Result run(
      MemoryReplica first,
      MemoryReplica second,
      RoundOptions options,
      long delayMillis,
      Hash saltOfFirst,
      Hash saltOfSecond)
      throws IOException, InterruptedException, ExecutionException {
    InetAddress loopback = InetAddress.getLoopbackAddress();
    try (ServerSocket listening = new ServerSocket(0, 1, loopback);
        FaultyProxy proxy =
            FaultyProxy.forward(
                new Endpoint(loopback.getHostAddress(), 0),
                new Endpoint(loopback.getHostAddress(), listening.getLocalPort()));
        ExecutorService threads = Executors.newCachedThreadPool()) {
      proxy.set(Faults.NONE.withDelayMillis(delayMillis / 2));
      Future<Ended> answering =
          threads.submit(() -> {
            try (Socket socket = listening.accept()) {
              return side(second, false, options, saltOfSecond, socket, threads);
            }
          });
      try (Socket socket = new Socket(loopback, proxy.endpoint().port())) {
        long begin = System.nanoTime();
        Ended mine = side(first, true, options, saltOfFirst, socket, threads);
        double seconds = (System.nanoTime() - begin) / 1e9;
        Ended theirs = answering.get();
        return new Result(seconds, mine.progress(), theirs.progress(), mine.turns());
      }
    }
  }

  /** Drives one side; reading is done by a thread of its own, so that nobody waits in a circle. */
  private static Ended side(
      MemoryReplica replica,
      boolean initiator,
      RoundOptions options,
      Hash salt,
      Socket socket,
      ExecutorService threads)
      throws IOException, InterruptedException {
    socket.setTcpNoDelay(true);
    Round round = new Round(replica, initiator, options, List.of(), salt);
    DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(socket.getOutputStream(), 1 << 16));
    BlockingQueue<Input> inputs = new ArrayBlockingQueue<>(1024);
    threads.execute(() -> read(socket, inputs));
    Driver driver = new Driver(replica, round, out);
    driver.step(new Input.Begin());
    out.flush();
    while (!round.over()) {
      driver.step(inputs.take());
      if (inputs.isEmpty()) {
        out.flush();
      }
    }
    out.flush();
    socket.shutdownOutput();
    return new Ended(driver.progress(), driver.turns);
  }

  private static void read(Socket socket, BlockingQueue<Input> inputs) {
    try {
      DataInputStream in =
          new DataInputStream(new BufferedInputStream(socket.getInputStream(), 1 << 16));
      for (int length = in.readInt(); ; length = in.readInt()) {
        inputs.put(new Input.Received(in.readNBytes(length)));
      }
    } catch (IOException e) {
      // The other side has ended; what it said before is in the queue.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static final class Driver {
    private final MemoryReplica replica;
    private final Round round;
    private final DataOutputStream out;
    private final ArrayDeque<Input> stored = new ArrayDeque<>();
    private boolean spoke;
    private @Nullable Progress finished;
    int turns;

    Driver(MemoryReplica replica, Round round, DataOutputStream out) {
      this.replica = replica;
      this.round = round;
      this.out = out;
    }

    Progress progress() {
      Progress done = finished;
      if (done == null) {
        throw new AssertionError("a round between honest replicas is completed");
      }
      return done;
    }

    void step(Input input) {
      turns += spoke ? 1 : 0;
      spoke = false;
      round.step(input, this::perform);
      for (Input done = stored.poll(); done != null; done = stored.poll()) {
        round.step(done, this::perform);
      }
    }

    private void perform(Effect effect) {
      switch (effect) {
        case Effect.Send send -> {
          spoke = true;
          try {
            out.writeInt(send.message().length);
            out.write(send.message());
          } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
          }
        }
        case Effect.Store store -> {
          replica.store(store.records(), store.statements());
          stored.add(new Input.Stored(store.ticket()));
        }
        case Effect.Finished done -> finished = done.progress();
        case Effect.Lied lied -> throw new AssertionError("an honest peer lied", lied.evidence());
        case Effect.GaveUp gaveUp -> throw new AssertionError("gave up: " + gaveUp.reason());
      }
    }
  }
}
