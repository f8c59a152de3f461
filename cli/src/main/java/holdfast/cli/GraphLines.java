package holdfast.cli;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Draws a history beside its lines: a star for each record, a column for each branch.
 *
 * <pre>
 *   *    merge
 *   |\
 *   * |  a branch
 *   | *  another
 *   |/
 *   *    where they part
 * </pre>
 */
final class GraphLines {
  private List<Hash> columns = new ArrayList<>();

  /** What to print for one record: before its text, and on lines of their own after it. */
  record Drawn(String beside, List<String> below) {}

  private record Edge(int from, int to) {}

  /** Draws the next record. */
  Drawn next(Hash record, List<Hash> parents) {
    int at = columns.indexOf(record);
    if (at < 0) {
      at = columns.size();
      columns.add(record);
    }
    StringBuilder beside = new StringBuilder();
    for (int i = 0; i < columns.size(); i++) {
      beside.append(i == at ? "* " : "| ");
    }
    Set<Hash> after = new LinkedHashSet<>();
    for (int i = 0; i < columns.size(); i++) {
      if (i == at) {
        after.addAll(parents);
      } else {
        after.add(columns.get(i));
      }
    }
    List<Hash> next = new ArrayList<>(after);
    List<Edge> edges = new ArrayList<>();
    for (int i = 0; i < columns.size(); i++) {
      if (i == at) {
        for (Hash parent : parents) {
          edges.add(new Edge(i, next.indexOf(parent)));
        }
      } else {
        edges.add(new Edge(i, next.indexOf(columns.get(i))));
      }
    }
    columns = next;
    return new Drawn(beside.toString(), transitions(edges));
  }

  /** Moves every edge one column per line until all are where they belong. */
  private static List<String> transitions(List<Edge> edges) {
    List<String> lines = new ArrayList<>();
    List<Edge> left = edges;
    while (left.stream().anyMatch(edge -> edge.from() != edge.to())) {
      StringBuilder line = new StringBuilder();
      List<Edge> moved = new ArrayList<>();
      for (Edge edge : left) {
        int step = Integer.signum(edge.to() - edge.from());
        draw(line, 2 * edge.from() + step, step < 0 ? '/' : step > 0 ? '\\' : '|');
        moved.add(new Edge(edge.from() + step, edge.to()));
      }
      lines.add(line.toString().stripTrailing());
      left = moved;
    }
    return lines;
  }

  private static void draw(StringBuilder line, int position, char mark) {
    while (line.length() <= position) {
      line.append(' ');
    }
    line.setCharAt(position, mark);
  }
}
