package holdfast.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Pictures of results, as SVG: lines over logarithmic axes, and groups of bars. Colours tell series
 * apart also for those who do not see red and green apart (after Okabe and Ito, 2008).
 */
final class Chart {
  /** A point of a line. */
  record Point(double x, double y) {}

  private static final List<String> COLOURS =
      List.of("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000");

  private static final int WIDTH = 760;
  private static final int HEIGHT = 420;
  private static final int LEFT = 80;
  private static final int RIGHT = 170;
  private static final int TOP = 50;
  private static final int BOTTOM = 60;

  private final StringBuilder out = new StringBuilder();

  private Chart(String title, String xLabel, String yLabel) {
    out.append(
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img">
        <title>%s</title>
        <rect width="100%%" height="100%%" fill="#ffffff"/>
        """
            .formatted(WIDTH, HEIGHT, escape(title)));
    text(LEFT, TOP - 22, "start", title, "font-size=\"16\"");
    text(LEFT + plotWidth() / 2.0, HEIGHT - 14, "middle", xLabel, "");
    double middle = TOP + plotHeight() / 2.0;
    text(
        18,
        middle,
        "middle",
        yLabel,
        String.format(Locale.ROOT, "transform=\"rotate(-90 18 %.1f)\"", middle));
  }

  /**
   * Lines over two logarithmic axes.
   *
   * @param series name of a line and its points in the order of x; x and y above 0
   */
  static String lines(String title, String xLabel, String yLabel, Map<String, List<Point>> series) {
    Chart chart = new Chart(title, xLabel, yLabel);
    List<Point> all = series.values().stream().flatMap(List::stream).toList();
    Scale x = Scale.over(all.stream().mapToDouble(Point::x).toArray(), LEFT, LEFT + plotWidth());
    Scale y = Scale.over(all.stream().mapToDouble(Point::y).toArray(), TOP + plotHeight(), TOP);
    for (int power = x.low; power <= x.high; power++) {
      chart.rule(x.at(Math.pow(10, power)), TOP, x.at(Math.pow(10, power)), TOP + plotHeight());
      chart.text(x.at(Math.pow(10, power)), TOP + plotHeight() + 20, "middle", tick(power), "");
    }
    for (int power = y.low; power <= y.high; power++) {
      chart.rule(LEFT, y.at(Math.pow(10, power)), LEFT + plotWidth(), y.at(Math.pow(10, power)));
      chart.text(LEFT - 8, y.at(Math.pow(10, power)) + 4, "end", tick(power), "");
    }
    int number = 0;
    for (Map.Entry<String, List<Point>> line : series.entrySet()) {
      String colour = COLOURS.get(number % COLOURS.size());
      List<String> path = new ArrayList<>();
      for (Point point : line.getValue()) {
        path.add(number(x.at(point.x())) + "," + number(y.at(point.y())));
        chart.circle(x.at(point.x()), y.at(point.y()), colour);
      }
      chart
          .out
          .append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"")
          .append(colour)
          .append("\" points=\"")
          .append(String.join(" ", path))
          .append("\"/>\n");
      chart.legend(number++, line.getKey(), colour);
    }
    return chart.end();
  }

  /**
   * Groups of bars over a linear axis that begins at 0.
   *
   * @param groups what stands below each group
   * @param series name of a bar of each group, and its value in every group, 0 or more
   */
  static String bars(
      String title, String yLabel, List<String> groups, Map<String, List<Double>> series) {
    Chart chart = new Chart(title, "", yLabel);
    double most =
        series.values().stream().flatMap(List::stream).mapToDouble(v -> v).max().orElse(1);
    double step = step(most);
    double top = step * Math.max(1, Math.ceil(most / step));
    for (double tick = 0; tick <= top + step / 2; tick += step) {
      double at = TOP + plotHeight() * (1 - tick / top);
      chart.rule(LEFT, at, LEFT + plotWidth(), at);
      chart.text(LEFT - 8, at + 4, "end", plain(tick), "");
    }
    double room = (double) plotWidth() / groups.size();
    double width = room * 0.8 / series.size();
    for (int group = 0; group < groups.size(); group++) {
      chart.text(
          LEFT + room * (group + 0.5), TOP + plotHeight() + 20, "middle", groups.get(group), "");
    }
    int number = 0;
    for (Map.Entry<String, List<Double>> bar : series.entrySet()) {
      String colour = COLOURS.get(number % COLOURS.size());
      for (int group = 0; group < groups.size(); group++) {
        double height = plotHeight() * bar.getValue().get(group) / top;
        chart
            .out
            .append("<rect x=\"")
            .append(number(LEFT + room * (group + 0.1) + width * number))
            .append("\" y=\"")
            .append(number(TOP + plotHeight() - height))
            .append("\" width=\"")
            .append(number(width))
            .append("\" height=\"")
            .append(number(height))
            .append("\" fill=\"")
            .append(colour)
            .append("\"><title>")
            .append(escape(bar.getKey() + ": " + plain(bar.getValue().get(group))))
            .append("</title></rect>\n");
      }
      chart.legend(number++, bar.getKey(), colour);
    }
    return chart.end();
  }

  /** A distance of ticks, 1, 2 or 5 times a power of ten, of which about five reach to the top. */
  private static double step(double most) {
    double rough = Math.max(most, 1e-9) / 5;
    double power = Math.pow(10, Math.floor(Math.log10(rough)));
    double times = rough / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
  }

  /** Whole powers of ten around some values, and where they lie. */
  private record Scale(int low, int high, double from, double to) {
    static Scale over(double[] values, double from, double to) {
      double least = Double.MAX_VALUE;
      double most = 0;
      for (double value : values) {
        if (value <= 0) {
          throw new IllegalArgumentException("a logarithmic axis has no place for " + value);
        }
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
      int low = values.length == 0 ? 0 : (int) Math.floor(Math.log10(least));
      int high = values.length == 0 ? 1 : (int) Math.ceil(Math.log10(most));
      return new Scale(low, Math.max(high, low + 1), from, to);
    }

    double at(double value) {
      return from + (to - from) * (Math.log10(value) - low) / (high - low);
    }
  }

  private static int plotWidth() {
    return WIDTH - LEFT - RIGHT;
  }

  private static int plotHeight() {
    return HEIGHT - TOP - BOTTOM;
  }

  private void rule(double x1, double y1, double x2, double y2) {
    out.append("<line stroke=\"#d0d0d0\" x1=\"")
        .append(number(x1))
        .append("\" y1=\"")
        .append(number(y1))
        .append("\" x2=\"")
        .append(number(x2))
        .append("\" y2=\"")
        .append(number(y2))
        .append("\"/>\n");
  }

  private void circle(double x, double y, String colour) {
    out.append("<circle r=\"3\" cx=\"")
        .append(number(x))
        .append("\" cy=\"")
        .append(number(y))
        .append("\" fill=\"")
        .append(colour)
        .append("\"/>\n");
  }

  private void legend(int number, String name, String colour) {
    double y = TOP + 10 + 22.0 * number;
    double x = WIDTH - RIGHT + 16;
    out.append("<rect width=\"14\" height=\"14\" x=\"")
        .append(number(x))
        .append("\" y=\"")
        .append(number(y - 11))
        .append("\" fill=\"")
        .append(colour)
        .append("\"/>\n");
    text(x + 20, y, "start", name, "");
  }

  private void text(double x, double y, String anchor, String text, String attributes) {
    out.append("<text x=\"")
        .append(number(x))
        .append("\" y=\"")
        .append(number(y))
        .append("\" text-anchor=\"")
        .append(anchor)
        .append('"')
        .append(attributes.isEmpty() ? "" : " " + attributes)
        .append('>')
        .append(escape(text))
        .append("</text>\n");
  }

  private String end() {
    return out.append("</svg>\n").toString();
  }

  private static String tick(int power) {
    return plain(Math.pow(10, power));
  }

  private static String plain(double value) {
    return value >= 1000 || value == Math.rint(value)
        ? String.format(Locale.ROOT, "%,.0f", value)
        : new java.math.BigDecimal(value)
            .round(new java.math.MathContext(3))
            .stripTrailingZeros()
            .toPlainString();
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
