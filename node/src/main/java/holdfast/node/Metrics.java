package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.crypto.VerifyKey;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Supplier;

/** What the node counts, for {@code /metrics} in Prometheus' text format. */
final class Metrics {
  /** Owners that are counted by themselves at most. */
  private static final int OWNERS = 100;

  final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  final Counter recordsWritten = counter("holdfast_records_written", "Records acknowledged");
  final Counter signatures = counter("holdfast_signatures", "Signatures of records acknowledged");
  final Counter statements = counter("holdfast_statements", "Statements of owners acknowledged");
  final Counter receipts = counter("holdfast_receipts", "Receipts signed");
  final Counter recordsRead = counter("holdfast_records_read", "Records and leaves served");
  final Counter proofs = counter("holdfast_proofs", "Records and leaves proven");
  final Counter proofHeaders = counter("holdfast_proof_headers", "Headers sent in proofs");
  final Counter violations = counter("holdfast_violations", "Requests refused as bad evidence");
  final Counter damaged = counter("holdfast_damaged_reads", "Reads refused as damaged");
  final Counter peersLost =
      counter("holdfast_peer_losses", "Times that another server was silent for too long");
  private final Map<ErrorCode, Counter> errors = new EnumMap<>(ErrorCode.class);
  private final MultiGauge owners =
      MultiGauge.builder("holdfast_owner_bytes")
          .description("Bytes of records that an owner has here; of those that have most")
          .register(registry);
  private volatile Supplier<Map<VerifyKey, Long>> bytesByOwner = Map::of;

  Metrics() {
    for (ErrorCode code : ErrorCode.values()) {
      errors.put(
          code,
          Counter.builder("holdfast_errors")
              .description("Errors told to clients")
              .tag("code", code.name())
              .register(registry));
    }
  }

  /** Sets where the bytes of owners are asked for when somebody looks. */
  void ofOwners(Supplier<Map<VerifyKey, Long>> bytes) {
    bytesByOwner = bytes;
  }

  /** Those of whom there is most, the greatest first. */
  static SequencedMap<VerifyKey, Long> most(Map<VerifyKey, Long> bytes, int limit) {
    SequencedMap<VerifyKey, Long> most = new LinkedHashMap<>();
    bytes.entrySet().stream()
        .sorted(Map.Entry.<VerifyKey, Long>comparingByValue().reversed())
        .limit(limit)
        .forEach(entry -> most.put(entry.getKey(), entry.getValue()));
    return most;
  }

  /** Everything as it is now, in Prometheus' text format. */
  String scrape() {
    List<MultiGauge.Row<?>> rows = new ArrayList<>();
    most(bytesByOwner.get(), OWNERS)
        .forEach((owner, bytes) ->
            rows.add(MultiGauge.Row.of(Tags.of("owner", owner.toString()), bytes)));
    owners.register(rows, true);
    return registry.scrape();
  }

  private Counter counter(String name, String help) {
    return Counter.builder(name).description(help).register(registry);
  }

  void gauge(String name, String help, Supplier<Number> value) {
    Gauge.builder(name, value).description(help).register(registry);
  }

  void error(ErrorCode code) {
    Counter counter = errors.get(code);
    if (counter != null) {
      counter.increment();
    }
  }
}
