package holdfast.edge;

import holdfast.device.Operation;
import io.netty.handler.codec.mqtt.MqttQoS;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves one subscription, in a thread of its own: first the values there are, if they are wanted,
 * then the changes. Like a watch by REST it holds nothing but its place in the view.
 */
final class MqttFollower implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(MqttFollower.class);
  private static final int AT_ONCE = 128;
  private static final long AT_ONCE_BYTES = 1 << 20;
  private static final long LOOK_MILLIS = 1000;
  private static final byte[] EMPTY = {};

  private final MqttSession session;
  private final Edge edge;
  private final MqttOutbox outbox;
  private final MqttFilter filter;
  private final MqttQoS qos;
  private final boolean retained;
  private final Thread thread;
  private long after;
  private volatile boolean stopped;

  private record Found(String key, Version.Current value) {}

  private record Changed(String key, Version version) {}

  /** A subscription ends for a reason that is not its client's wish. */
  private static final class Ended extends Exception {
    private static final long serialVersionUID = 1L;
  }

  /**
   * Of a subscription.
   *
   * @param retained whether the values there are are wanted
   * @param after the last change before the subscription
   */
  MqttFollower(
      MqttSession session,
      Edge edge,
      MqttOutbox outbox,
      MqttFilter filter,
      MqttQoS qos,
      boolean retained,
      long after) {
    this.session = session;
    this.edge = edge;
    this.outbox = outbox;
    this.filter = filter;
    this.qos = qos;
    this.retained = retained;
    this.after = after;
    this.thread = Thread.ofVirtual().name("holdfast-mqtt-follow").unstarted(this);
  }

  void start() {
    thread.start();
  }

  void stop() {
    stopped = true;
    thread.interrupt();
  }

  @Override
  public void run() {
    try {
      if (retained) {
        tellValues();
      }
      while (!stopped) {
        requireRight();
        if (!tellChanges()) {
          edge.view().awaitAbove(after, LOOK_MILLIS);
        }
      }
    } catch (Ended | InterruptedException e) {
      // The client knows why, or wished it.
      stopped = true;
    } catch (RuntimeException e) {
      LOG.error("a subscription failed", e);
      session.failed();
    }
  }

  private void requireRight() throws Ended {
    if (!session.may(Right.READ, filter.space())) {
      session.denied(Right.READ, filter.space());
      throw new Ended();
    }
  }

  // ---- Values -----------------------------------------------------------------------------------

  private void tellValues() throws Ended, InterruptedException {
    if (filter.exact()) {
      Version.Current value = edge.view().get(filter.space(), filter.prefix());
      if (value != null) {
        tell(filter.prefix(), value.value(), value.type(), false, true);
      }
      return;
    }
    String from = null;
    List<Found> page = new ArrayList<>();
    do {
      requireRight();
      page.clear();
      String last = gather(from, page);
      for (Found one : page) {
        tell(one.key(), one.value().value(), one.value().type(), false, true);
      }
      from = last;
    } while (from != null && !stopped);
  }

  /** Reads some values; the key from which to go on, null when there are no more. */
  private @Nullable String gather(@Nullable String from, List<Found> page) {
    String[] last = new String[1];
    boolean[] more = new boolean[1];
    long[] bytes = new long[1];
    int[] seen = new int[1];
    edge.view()
        .list(
            filter.space(),
            filter.prefix(),
            from,
            (key, value) -> {
              if (++seen[0] > AT_ONCE || bytes[0] > AT_ONCE_BYTES) {
                more[0] = true;
                return false;
              }
              last[0] = key;
              if (filter.matches(key)) {
                page.add(new Found(key, value));
                bytes[0] += value.sizeBytes();
              }
              return true;
            });
    return more[0] ? last[0] : null;
  }

  // ---- Changes ----------------------------------------------------------------------------------

  /** Tells some of the changes that have come; whether there were any. */
  private boolean tellChanges() throws Ended, InterruptedException {
    // Read first: up to here the view has everything, so nothing below it can still come.
    long seen = edge.view().mark().number();
    if (edge.view().space(filter.space()).last() <= after) {
      after = Math.max(after, seen);
      return false;
    }
    List<Changed> page = new ArrayList<>();
    long[] last = {after};
    int[] visited = new int[1];
    edge.view()
        .changes(
            filter.space(),
            after,
            (number, key) -> {
              last[0] = number;
              Version version =
                  filter.matches(key) ? edge.view().version(filter.space(), key, number) : null;
              if (version != null) {
                page.add(new Changed(key, version));
              }
              return ++visited[0] < AT_ONCE;
            });
    for (Changed one : page) {
      tell(one);
    }
    after = visited[0] < AT_ONCE ? Math.max(last[0], seen) : last[0];
    return true;
  }

  private void tell(Changed change) throws Ended, InterruptedException {
    Version version = change.version();
    if (version.deletion()) {
      tell(change.key(), EMPTY, "", true, false);
      return;
    }
    EdgeLeaf.Change recent = edge.flusher().recent.change(version.place());
    if (recent != null && recent.operation() instanceof Operation.Put put) {
      tell(change.key(), put.value().unsafeArray(), put.contentType(), false, false);
      return;
    }
    Version.Current now = edge.view().get(filter.space(), change.key());
    if (now != null && now.number() == version.number()) {
      tell(change.key(), now.value(), now.type(), false, false);
    } else if (qos == MqttQoS.AT_MOST_ONCE) {
      edge.mqtt().skipped.increment();
    } else {
      session.tooSlow();
      throw new Ended();
    }
  }

  private void tell(String key, byte[] value, String type, boolean deletion, boolean retain)
      throws Ended, InterruptedException {
    if (!MqttTopic.publishable(key)) {
      edge.mqtt().skipped.increment();
      return;
    }
    String topic = new MqttTopic(filter.space(), key).toString();
    switch (outbox.send(
        topic, value, qos, retain, MqttSubscriptions.properties(session.five(), type, deletion))) {
      case SENT -> edge.mqtt().sent.increment();
      case TOO_LARGE -> edge.mqtt().skipped.increment();
      case STUCK -> {
        session.tooSlow();
        throw new Ended();
      }
      case CLOSED -> throw new Ended();
    }
  }
}
