package holdfast.device;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * A device: puts and deletes go into a durable queue at once, and a thread brings them to the edge
 * when there is one.
 *
 * <pre>{@code
 * try (Device device = Device.open(DeviceOptions.of(folder, edge))) {
 *   device.put("home", "kitchen/temperature", "text/plain", Octets.copyOf("21.5".getBytes(UTF_8)));
 *   device.flush(Duration.ofSeconds(10));
 * }
 * }</pre>
 *
 * <p>Safe for several threads. Only {@link #get} and {@link #enrol} speak to the edge in the
 * caller's thread; put and delete never wait for the network, except for room when the queue is
 * full and its policy is to block.
 */
public final class Device implements AutoCloseable {
  private final DeviceOptions options;
  private final DeviceQueue queue;
  private final @Nullable Remembered remembered;
  private final @Nullable Link link;
  private final Pace pace;
  private final @Nullable Courier courier;
  private final Thread sender;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Condition progress = lock.newCondition();
  private boolean woken;
  private boolean closed;
  private volatile boolean sleeping;
  private volatile String diskTrouble = "";

  /**
   * When {@link #get} asks the edge again; of its own, since the sender may have nothing to send.
   */
  private final Pace asking = new Pace(0, new SplittableRandom());

  private Device(DeviceOptions options, DeviceFolder folder, Links links) throws IOException {
    this.options = options;
    this.queue = DeviceQueue.open(options.folder(), folder.key(), options.queue());
    Remembered memory = null;
    Link connection = null;
    boolean opened = false;
    try {
      if (options.rememberedBytes() > 0) {
        memory = new Remembered(new QueueFolder(options.folder()), options.rememberedBytes());
      }
      EdgeAddress edge = options.edge();
      if (edge != null) {
        connection = links.open(edge, options.timeout());
      }
      remembered = memory;
      link = connection;
      pace = new Pace(options.linger().toMillis(), new SplittableRandom());
      Optional<String> name = folder.name();
      if (connection != null && name.isPresent()) {
        courier =
            new Courier(queue, connection, pace, name.get(), options.rejection(), this::learn);
      } else {
        courier = null;
        if (connection != null) {
          pace.notEnrolled();
        }
      }
      sender = Thread.ofPlatform().daemon().name("holdfast-device").unstarted(this::send);
      opened = true;
    } finally {
      if (!opened) {
        try {
          if (connection != null) {
            connection.close();
          }
        } finally {
          close(memory, queue);
        }
      }
    }
  }

  /** Closes both, whatever the first throws: the lock on the folder goes with the queue. */
  private static void close(@Nullable Remembered memory, DeviceQueue queue) throws IOException {
    try {
      if (memory != null) {
        memory.close();
      }
    } finally {
      queue.close();
    }
  }

  /**
   * Opens a device's folder, and begins to send what waits there.
   *
   * @throws IOException when the folder is in use or cannot be read
   */
  public static Device open(DeviceOptions options) throws IOException {
    return open(options, HttpLink::new);
  }

  /** The same with another way to the edge. */
  static Device open(DeviceOptions options, Links links) throws IOException {
    Device device = new Device(options, new DeviceFolder(options.folder()), links);
    device.sender.start();
    return device;
  }

  /** Makes the way to an edge. */
  interface Links {
    Link open(EdgeAddress edge, Duration timeout) throws IOException;
  }

  /**
   * Makes a device known to an edge, on behalf of the user who is logged in. May be repeated.
   *
   * @param name 1 to 64 of the characters a-z 0-9 . _ -
   * @return whether it was not known before
   * @throws IOException when there is no answer, or the edge refuses, with its reason
   */
  public static boolean enrol(DeviceFolder folder, EdgeAddress edge, String name, Duration timeout)
      throws IOException, InterruptedException {
    DeviceKey key = folder.key();
    String user = edge.login().user();
    String body =
        "{\"device\":"
            + JsonText.quoted(name)
            + ",\"key\":\""
            + key.publicKey().toHex()
            + "\",\"signature\":\""
            + key.signEnrolment(name, user).toHex()
            + "\"}";
    try (Link link = new HttpLink(edge, timeout)) {
      Link.Reply reply =
          link.request(
              "POST", "/v1/devices", "application/json", body.getBytes(StandardCharsets.UTF_8));
      if (reply.status() != 201 && reply.status() != 200) {
        String reason =
            switch (Courier.refusal(reply)) {
              case Outcome.Conflict c -> c.reason();
              case Outcome.Denied d -> d.reason();
              case Outcome.Busy b -> b.reason();
              case Outcome.Refused r -> r.reason();
              case Outcome.Unreachable u -> u.reason();
              case Outcome.Taken _, Outcome.Told _, Outcome.Rejected _ -> "";
            };
        throw new IOException("the device was not enrolled: " + reason);
      }
      folder.enrolled(name);
      return reply.status() == 201;
    }
  }

  /**
   * Gives a key a value.
   *
   * @param contentType visible ASCII; empty for {@link Operation#DEFAULT_TYPE}
   * @return the sequence number; empty when the queue is full and refuses
   * @throws IOException when the disk fails; the value is not in the queue then
   */
  public OptionalLong put(String space, String key, String contentType, Octets value)
      throws IOException, InterruptedException {
    OptionalLong sequence = queue.put(space, key, contentType, value);
    wake();
    return sequence;
  }

  /** Deletes a key, in the manner of {@link #put}. */
  public OptionalLong delete(String space, String key) throws IOException, InterruptedException {
    OptionalLong sequence = queue.delete(space, key);
    wake();
    return sequence;
  }

  /**
   * What is known of a key: by the device's own queue, else by the edge, else by memory. Waits for
   * the edge unless the last attempt to reach it failed; after one of its own that failed, not
   * before a time that doubles with each, up to a minute.
   */
  public Answer get(String space, String key) throws IOException, InterruptedException {
    Optional<Operation> own = queue.latest(space, key);
    if (own.isPresent()) {
      return answer(Answer.Source.QUEUE, own.get(), own.get().timeMillis());
    }
    if (link != null && worthAsking()) {
      Optional<Answer> told = ask(link, space, key);
      if (told.isPresent()) {
        return told.get();
      }
    }
    Optional<Remembered.Fact> fact =
        remembered == null ? Optional.empty() : remembered.recall(space, key);
    return fact.isPresent()
        ? answer(Answer.Source.REMEMBERED, fact.get().operation(), fact.get().timeMillis())
        : new Answer(Answer.Source.NOBODY, Optional.empty(), "", Duration.ZERO);
  }

  /** What the edge says; empty when it is away or busy. */
  private Optional<Answer> ask(Link link, String space, String key)
      throws IOException, InterruptedException {
    Link.Reply reply;
    try {
      reply = link.request("GET", "/v1/kv/" + space + "/" + encoded(key), "", new byte[0]);
    } catch (SSLException e) {
      // Somebody else may be pretending to be the edge: that is not the same as its being away.
      throw e;
    } catch (IOException e) {
      asked(new Outcome.Unreachable(Courier.said(e)));
      return Optional.empty();
    }
    Operation told =
        switch (reply.status()) {
          case 200 ->
              new Operation.Put(
                  0, 0, space, key, reply.headers().getOrDefault("content-type", ""), reply.body());
          case 404 -> new Operation.Delete(0, 0, space, key);
          default -> null;
        };
    if (told == null) {
      if (Courier.refusal(reply) instanceof Outcome.Busy busy) {
        asked(busy);
        return Optional.empty();
      }
      throw new IOException("the edge answered " + reply.status() + " when asked for " + key);
    }
    asked(new Outcome.Told(0));
    long now = System.currentTimeMillis();
    learn(told, now);
    return Optional.of(answer(Answer.Source.EDGE, told, now));
  }

  private static String encoded(String key) {
    return URLEncoder.encode(key, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A");
  }

  private static Answer answer(Answer.Source source, Operation operation, long timeMillis) {
    Duration age = Duration.ofMillis(Math.max(0, System.currentTimeMillis() - timeMillis));
    return switch (operation) {
      case Operation.Put put ->
          new Answer(source, Optional.of(put.value()), put.contentType(), age);
      case Operation.Delete _ -> new Answer(source, Optional.empty(), "", age);
    };
  }

  private void learn(Batch batch) {
    // The edge is there again.
    asked(new Outcome.Told(0));
    long now = System.currentTimeMillis();
    for (Operation operation : batch.operations()) {
      learn(operation, now);
    }
  }

  private void learn(Operation operation, long now) {
    if (remembered != null) {
      try {
        remembered.learn(operation, now);
      } catch (IOException e) {
        diskTrouble = "what the edge says cannot be remembered: " + e.getMessage();
      }
    }
  }

  /**
   * Waits until the edge has everything that was put before, at most for a time.
   *
   * @return whether it has
   */
  public boolean flush(Duration timeout) throws InterruptedException {
    long until = queue.status().nextSequence();
    Octets incarnation = queue.incarnation();
    long left = timeout.toNanos();
    if (courier != null) {
      courier.hurry();
    }
    lock.lockInterruptibly();
    try {
      woken = true;
      work.signal();
      while (true) {
        QueueStatus status = queue.status();
        boolean renewed = !status.incarnation().equals(incarnation);
        if (renewed) {
          incarnation = status.incarnation();
          until = status.nextSequence();
        }
        if (status.firstSequence() >= until && !status.doubtful()) {
          return true;
        }
        if (left <= 0 || closed) {
          return false;
        }
        left = progress.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Figures, for people and programs. */
  public DeviceStatus status() {
    Courier c = courier;
    lock.lock();
    try {
      return new DeviceStatus(
          queue.status(),
          pace.state(),
          diskTrouble.isEmpty() ? pace.trouble() : diskTrouble,
          c == null ? "" : c.lastRejection(),
          c == null ? 0 : c.operationsSent(),
          c == null ? 0 : c.batchesSent(),
          c == null ? 0 : c.bytesSent(),
          pace.failures(),
          remembered == null ? 0 : remembered.diskBytes());
    } finally {
      lock.unlock();
    }
  }

  private boolean worthAsking() {
    lock.lock();
    try {
      return pace.state() != LinkState.OFFLINE && asking.delay(Pace.Load.NOW, nowMillis()) == 0;
    } finally {
      lock.unlock();
    }
  }

  private void asked(Outcome outcome) {
    lock.lock();
    try {
      asking.ended(outcome, nowMillis());
    } finally {
      lock.unlock();
    }
  }

  private static long nowMillis() {
    return System.nanoTime() / 1_000_000;
  }

  /** Wakes the sender when it sleeps; otherwise it sees what was put by itself. */
  private void wake() {
    if (sleeping) {
      lock.lock();
      try {
        sleeping = false;
        woken = true;
        work.signal();
      } finally {
        lock.unlock();
      }
    }
  }

  /** The sender's thread. */
  private void send() {
    long syncNanos = options.queue().syncInterval().toNanos();
    boolean syncs = options.queue().syncing() == Syncing.INTERVAL;
    try {
      while (!stopped()) {
        long wait;
        // From here on a put wakes this thread, so that none is missed between look and sleep.
        sleeping = true;
        try {
          queue.expire();
          wait = courier == null ? Pace.NEVER : courier.step(nowMillis());
          diskTrouble = "";
        } catch (IOException e) {
          // The disk failed under the queue. What was accepted stays; it is tried again.
          diskTrouble = "the queue's disk fails: " + e.getMessage();
          wait = Pace.FIRST_RETRY_MILLIS;
        } catch (RuntimeException | Error e) {
          // A defect or a lack of memory; without this thread nothing would ever be sent again.
          diskTrouble = "sending failed, and is tried again: " + e;
          wait = Pace.FIRST_RETRY_MILLIS;
        }
        rest(wait, syncs ? syncNanos : Long.MAX_VALUE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean stopped() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }

  private void rest(long waitMillis, long syncNanos) throws InterruptedException {
    long wait =
        waitMillis == Pace.NEVER ? Long.MAX_VALUE : TimeUnit.MILLISECONDS.toNanos(waitMillis);
    lock.lockInterruptibly();
    try {
      progress.signalAll();
      if (wait <= 0) {
        return;
      }
      if (waitMillis != Pace.NEVER) {
        // There is a time to go on anyway, and no need that each put costs a wake-up.
        sleeping = false;
      }
      long left = Math.min(wait, syncNanos);
      while (left > 0 && !woken && !closed) {
        left = work.awaitNanos(left);
      }
      woken = false;
    } finally {
      lock.unlock();
    }
    if (syncNanos != Long.MAX_VALUE) {
      try {
        queue.sync();
      } catch (IOException e) {
        diskTrouble = "the queue cannot be synced: " + e.getMessage();
      } catch (RuntimeException | Error e) {
        diskTrouble = "syncing the queue failed, and is tried again: " + e;
      }
    }
  }

  /** Stops sending, syncs the queue and gives the folder up. What waits is sent another time. */
  @Override
  public void close() throws IOException {
    lock.lock();
    try {
      closed = true;
      progress.signalAll();
      work.signalAll();
    } finally {
      lock.unlock();
    }
    try {
      if (link != null) {
        // Ends a request that is under way.
        link.close();
      }
    } finally {
      boolean interrupted = awaitSender();
      try {
        close(remembered, queue);
      } finally {
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }

  /** Waits until the thread that sends has ended; whether this one was interrupted meanwhile. */
  private boolean awaitSender() {
    boolean interrupted = false;
    while (sender.isAlive()) {
      try {
        sender.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    return interrupted;
  }
}
