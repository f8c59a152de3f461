package holdfast.node;

import holdfast.base.ErrorCode;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Supplier;

/** What the node counts, for {@code /metrics} in Prometheus' text format. */
final class Metrics {
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
