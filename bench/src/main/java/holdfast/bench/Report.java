package holdfast.bench;

import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Named results, printed as a line for people or as one JSON object for machines. */
final class Report {
  private final Map<String, Object> values = new LinkedHashMap<>();

  Report put(String key, Object value) {
    values.put(key, value);
    return this;
  }

  double number(String key) {
    return values.get(key) instanceof Double d ? d : Double.NaN;
  }

  void print(PrintStream out, boolean json) {
    StringBuilder line = new StringBuilder();
    for (Map.Entry<String, Object> entry : values.entrySet()) {
      if (json) {
        line.append(line.isEmpty() ? "{" : ",");
        line.append('"').append(entry.getKey()).append("\":").append(json(entry.getValue()));
      } else {
        line.append(line.isEmpty() ? "" : "  ");
        line.append(entry.getKey()).append('=').append(text(entry.getValue()));
      }
    }
    out.println(json ? line.append('}') : line);
  }

  private static String text(Object value) {
    return value instanceof Double d
        ? String.format(Locale.ROOT, d >= 1000 ? "%,.0f" : "%.3f", d)
        : value instanceof Long l ? String.format(Locale.ROOT, "%,d", l) : String.valueOf(value);
  }

  private static String json(Object value) {
    return switch (value) {
      case Double d -> String.format(Locale.ROOT, "%.3f", d);
      case Number n -> n.toString();
      case Boolean b -> b.toString();
      default -> '"' + value.toString().replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    };
  }

  /**
   * Processor time of this process so far, in seconds: steadier than the clock on a shared machine.
   */
  static double cpuSeconds() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime()
        / 1e9;
  }

  static String conditions() {
    Runtime runtime = Runtime.getRuntime();
    return String.format(
        Locale.ROOT,
        "%d cores, %d MiB heap, JDK %s, client and server in one process over TLS 1.3 on loopback",
        runtime.availableProcessors(),
        runtime.maxMemory() >> 20,
        Runtime.version());
  }
}
