package holdfast.device;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.zip.GZIPOutputStream;

/**
 * Brings batches from a queue to an edge, one attempt at a time. It has no thread and no clock of
 * its own, so that a test plays weeks of bad network in a moment.
 *
 * <p>A batch is sent, with the same bytes, until the edge says that it has it. Only when the edge
 * says which operations of it it will never take is it given up, and with {@link Rejection#STOP}
 * not even then: those are set aside, and the others go into the next batch.
 */
final class Courier {
  private static final int WORTH_COMPRESSING = 512;

  private final DeviceQueue queue;
  private final Link link;
  private final Pace pace;
  private final Rejection rejection;
  private final String devicePath;
  private final Consumer<Batch> taken;
  private final AtomicLong operationsSent = new AtomicLong();
  private final AtomicLong batchesSent = new AtomicLong();
  private final AtomicLong bytesSent = new AtomicLong();
  private volatile String lastRejection = "";
  private volatile boolean hurry;
  private boolean compressing = true;

  /**
   * A courier.
   *
   * @param device the name under which the device is enrolled
   * @param rejection what happens with operations that the edge will never take
   * @param taken told of each batch that the edge has taken
   */
  Courier(
      DeviceQueue queue,
      Link link,
      Pace pace,
      String device,
      Rejection rejection,
      Consumer<Batch> taken) {
    this.queue = queue;
    this.link = link;
    this.pace = pace;
    this.rejection = rejection;
    this.devicePath = "/v1/devices/" + device + "/batches";
    this.taken = taken;
  }

  long operationsSent() {
    return operationsSent.get();
  }

  long batchesSent() {
    return batchesSent.get();
  }

  /** Bytes of request bodies, those of attempts that failed included. */
  long bytesSent() {
    return bytesSent.get();
  }

  /** Why the edge rejected operations for good the last time; empty when it did not. */
  String lastRejection() {
    return lastRejection;
  }

  /** Sends without waiting for a batch to fill, until the queue is empty. */
  void hurry() {
    hurry = true;
  }

  /**
   * Does what is due, at most one request.
   *
   * @param now milliseconds that only go forward
   * @return how long there is nothing to do, {@link Pace#NEVER} until something is put
   */
  long step(long now) throws IOException, InterruptedException {
    long delay = pace.delay(load(), now);
    if (delay > 0) {
      return delay;
    }
    if (queue.doubtful()) {
      Outcome outcome = ask();
      if (outcome instanceof Outcome.Told told) {
        queue.settle(told.last());
      }
      pace.ended(outcome, now);
      return 0;
    }
    Optional<Batch> batch = queue.batch();
    if (batch.isPresent()) {
      Outcome outcome = send(batch.get());
      if (outcome instanceof Outcome.Rejected(var reason, var operations)) {
        queue.reject(operations, reason);
        lastRejection = reason;
      } else if (outcome instanceof Outcome.Taken) {
        operationsSent.addAndGet(batch.get().operations().size());
        batchesSent.incrementAndGet();
        queue.done(batch.get().claim().last());
        taken.accept(batch.get());
      }
      pace.ended(outcome, now);
    }
    return 0;
  }

  private Pace.Load load() {
    QueueStatus status = queue.status();
    if (!status.doubtful() && status.nextSequence() == status.firstSequence()) {
      hurry = false;
      return Pace.Load.NOTHING;
    }
    return hurry || status.doubtful() || status.batchPending() || queue.fillsBatch()
        ? Pace.Load.NOW
        : Pace.Load.SOME;
  }

  private Outcome ask() throws InterruptedException {
    try {
      String incarnation = queue.incarnation().toHex();
      Link.Reply reply =
          link.request("GET", devicePath + "?incarnation=" + incarnation, "", new byte[0]);
      if (reply.status() != 200) {
        return refusal(reply);
      }
      if (!(JsonText.object(reply.body().unsafeArray()).get("incarnations")
          instanceof List<?> list)) {
        return new Outcome.Unreachable("the edge did not say what it has taken");
      }
      for (Object item : list) {
        if (item instanceof Map<?, ?> one
            && incarnation.equals(one.get("incarnation"))
            && one.get("last") instanceof Long last
            && last >= 0) {
          return new Outcome.Told(last);
        }
      }
      return new Outcome.Told(0);
    } catch (IOException e) {
      return new Outcome.Unreachable(said(e));
    } catch (MalformedException e) {
      return new Outcome.Unreachable(String.valueOf(e.getMessage()));
    }
  }

  private Outcome send(Batch batch) throws InterruptedException {
    byte[] body = batch.encode();
    byte[] small = body.length < WORTH_COMPRESSING || !compressing ? body : gzip(body);
    boolean compressed = small.length < body.length;
    try {
      bytesSent.addAndGet(Math.min(small.length, body.length));
      Link.Reply reply =
          link.request(
              "POST",
              devicePath,
              Batch.MEDIA_TYPE + (compressed ? "+gzip" : ""),
              compressed ? small : body);
      if (compressed && (reply.status() == 400 || reply.status() == 415)) {
        // Something on the way does not take compressed bodies; the batch itself may be welcome.
        compressing = false;
        return send(batch);
      }
      if (reply.status() != 200) {
        Outcome refusal = refusal(reply);
        List<Operation> rejected = rejection == Rejection.SKIP ? rejected(reply, batch) : List.of();
        return switch (refusal) {
          case Outcome.Denied(var reason) when !rejected.isEmpty() ->
              new Outcome.Rejected(reason, rejected);
          case Outcome.Refused(var reason) when !rejected.isEmpty() ->
              new Outcome.Rejected(reason, rejected);
          default -> refusal;
        };
      }
      Object last = JsonText.object(reply.body().unsafeArray()).get("last");
      return last instanceof Long number && number >= batch.claim().last()
          ? new Outcome.Taken(number)
          : new Outcome.Unreachable("the edge answered for another batch: last " + last);
    } catch (IOException e) {
      return new Outcome.Unreachable(said(e));
    } catch (MalformedException e) {
      return new Outcome.Unreachable(String.valueOf(e.getMessage()));
    }
  }

  /** The operations of the batch of which the edge says that it will never take them. */
  private static List<Operation> rejected(Link.Reply reply, Batch batch) {
    try {
      Set<?> numbers =
          JsonText.object(reply.body().unsafeArray()).get("rejected") instanceof List<?> list
              ? new HashSet<>(list)
              : Set.of();
      return batch.operations().stream().filter(one -> numbers.contains(one.sequence())).toList();
    } catch (MalformedException e) {
      // Something between us and the edge answered in its own words, and rejects nothing for good.
      return List.of();
    }
  }

  static String said(IOException e) {
    String message = e.getMessage();
    return message == null ? e.getClass().getSimpleName() : message;
  }

  private static byte[] gzip(byte[] body) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(body);
    } catch (IOException e) {
      throw new IllegalStateException("writing to memory cannot fail", e);
    }
    return out.toByteArray();
  }

  /** What an answer means that is no success. */
  static Outcome refusal(Link.Reply reply) {
    Map<?, ?> problem = Map.of();
    try {
      problem = JsonText.object(reply.body().unsafeArray());
    } catch (MalformedException e) {
      // Something between us and the edge answered in its own words; the status is enough.
    }
    Object detail = problem.get("detail");
    String reason =
        "the edge answered " + reply.status() + (detail instanceof String s ? ": " + s : "");
    return switch (reply.status()) {
      case 409 -> new Outcome.Conflict(reason, problem.get("last") instanceof Long last ? last : 0);
      case 401, 403 -> new Outcome.Denied(reason);
      case 408, 425, 429 -> new Outcome.Busy(reason, retryAfter(reply));
      default ->
          reply.status() >= 500 && reply.status() != 507
              ? new Outcome.Busy(reason, retryAfter(reply))
              : new Outcome.Refused(reason);
    };
  }

  /** Seconds are understood; a date is not, since a device's clock may be wrong. */
  private static long retryAfter(Link.Reply reply) {
    String wish = reply.headers().getOrDefault("retry-after", "");
    return wish.matches("\\d{1,9}") ? Long.parseLong(wish) * 1000 : 0;
  }
}
