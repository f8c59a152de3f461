package holdfast.edge;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** What MQTT clients have done since the edge was started. */
final class MqttCounters {
  /** Clients that are connected now, those that are not logged in yet among them. */
  final AtomicInteger connections = new AtomicInteger();

  /** Subscriptions that are served now. */
  final AtomicInteger subscriptions = new AtomicInteger();

  final LongAdder logins = new LongAdder();
  final LongAdder loginsRefused = new LongAdder();

  /** Messages that came in. */
  final LongAdder received = new LongAdder();

  /** Messages that came with quality of service 1 and were acknowledged, so they are synced. */
  final LongAdder acknowledged = new LongAdder();

  /** Messages that came with quality of service 1 and were not acknowledged, or negatively. */
  final LongAdder refused = new LongAdder();

  /** Messages that came with quality of service 0 and were not kept. */
  final LongAdder dropped = new LongAdder();

  /** Times that reading from a client was stopped because it, or the edge, had enough to do. */
  final LongAdder pauses = new LongAdder();

  /** Messages that went out to subscribers. */
  final LongAdder sent = new LongAdder();

  /** Messages that subscribers did not get: overtaken, too large for them, or no topic. */
  final LongAdder skipped = new LongAdder();

  /** Subscribers that were disconnected because they did not keep up. */
  final LongAdder slow = new LongAdder();

  final LongAdder wills = new LongAdder();
  final LongAdder willsLost = new LongAdder();

  Json json() {
    return Json.object()
        .put("connections", connections.get())
        .put("subscriptions", subscriptions.get())
        .put("logins", logins.sum())
        .put("loginsRefused", loginsRefused.sum())
        .put("received", received.sum())
        .put("acknowledged", acknowledged.sum())
        .put("refused", refused.sum())
        .put("dropped", dropped.sum())
        .put("pauses", pauses.sum())
        .put("sent", sent.sum())
        .put("skipped", skipped.sum())
        .put("slow", slow.sum())
        .put("wills", wills.sum())
        .put("willsLost", willsLost.sum());
  }
}
