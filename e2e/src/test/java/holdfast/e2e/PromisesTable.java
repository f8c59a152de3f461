package holdfast.e2e;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The tables of docs/promises.md, held against the sources of the tests that they name.
 *
 * <p>A row is {@code | D7 | what is done | `node/PromisesTest#D7_…` `#another` |}. A method without
 * a class belongs to the class before it; {@code `holdfast bench ycsb`} is a measurement.
 */
final class PromisesTable {
  /** Rows that begin with such a letter are promises; the others are traps. */
  private static final Set<Character> PROMISES = Set.of('D', 'I');

  /** Promises that no test can bear the number of: not offered, or measured only. */
  private static final Set<String> WITHOUT_NAMED_TEST = Set.of("D16", "D43", "I32");

  private static final Pattern ROW = Pattern.compile("\\| ([A-Z]\\d+) \\| (.+) \\| (.+) \\|");
  private static final Pattern QUOTED = Pattern.compile("`([^`]*)`");
  private static final Pattern TEST = Pattern.compile("(?:([a-z0-9/]+/\\w+))?#(\\w+)");
  private static final Pattern BENCH = Pattern.compile("holdfast bench ([a-z]+)");

  /** The number of a row in a method's name: at its beginning, or where a word begins. */
  private static final Pattern NUMBER = Pattern.compile("(?:(?<![A-Za-z])[di]|[DI])(\\d{1,2})");

  private final Map<String, Set<String>> tests = new LinkedHashMap<>();
  private final Map<String, Set<String>> benches = new LinkedHashMap<>();
  private final List<String> problems = new ArrayList<>();

  private PromisesTable() {}

  /** The rows that there have to be. */
  static Set<String> rows() {
    return Stream.of(
            numbered("D", 48),
            Stream.of("D51", "D53"),
            numbered("I", 33),
            numbered("P", 8),
            numbered("W", 3),
            numbered("S", 6),
            numbered("L", 10),
            numbered("R", 4),
            numbered("E", 10),
            numbered("M", 2))
        .flatMap(rows -> rows)
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  private static Stream<String> numbered(String letter, int count) {
    return IntStream.rangeClosed(1, count).mapToObj(number -> letter + number);
  }

  /** Reads the tables; what cannot be read is a problem. */
  static PromisesTable parse(String document) {
    PromisesTable table = new PromisesTable();
    document.lines().forEach(table::line);
    return table;
  }

  private void line(String line) {
    Matcher row = ROW.matcher(line);
    if (!row.matches()) {
      if (line.matches("\\| [A-Z]\\d+ .*")) {
        problems.add("no row of three columns: " + line);
      }
      return;
    }
    String name = row.group(1);
    if (tests.containsKey(name)) {
      problems.add(name + " stands there twice");
      return;
    }
    Set<String> named = new LinkedHashSet<>();
    Set<String> measured = new LinkedHashSet<>();
    String type = null;
    Matcher quoted = QUOTED.matcher(row.group(3));
    while (quoted.find()) {
      Matcher test = TEST.matcher(quoted.group(1));
      Matcher bench = BENCH.matcher(quoted.group(1));
      if (bench.matches()) {
        measured.add(bench.group(1));
      } else if (test.matches() && (test.group(1) != null || type != null)) {
        type = test.group(1) == null ? type : test.group(1);
        named.add(type + "#" + test.group(2));
      } else {
        problems.add(name + ": neither a test nor a measurement: " + quoted.group(1));
      }
    }
    tests.put(name, named);
    benches.put(name, measured);
  }

  /** All tests that are named. */
  Set<String> tests() {
    return tests.values().stream()
        .flatMap(Set::stream)
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  /** Letters and numbers of the promises that a test's name says it shows, in capitals. */
  static Set<String> numbersIn(String method) {
    Set<String> numbers = new LinkedHashSet<>();
    Matcher number = NUMBER.matcher(method);
    while (number.find()) {
      numbers.add(
          number.group().substring(0, 1).toUpperCase(java.util.Locale.ROOT) + number.group(1));
    }
    return numbers;
  }

  /**
   * What is wrong with the tables.
   *
   * @param source gives the source of a test class, named by module, package below the module's,
   *     and class; null when there is none
   * @param measurements names of the measurements that there are
   */
  List<String> problems(Function<String, @Nullable String> source, Set<String> measurements) {
    List<String> found = new ArrayList<>(problems);
    for (String row : rows()) {
      if (!tests.containsKey(row)) {
        found.add(row + " is missing");
      }
    }
    for (Map.Entry<String, Set<String>> row : tests.entrySet()) {
      String name = row.getKey();
      Set<String> measured = benches.get(name);
      if (!rows().contains(name)) {
        found.add(name + " is no row");
      }
      if (row.getValue().isEmpty() && measured.isEmpty()) {
        found.add(name + " is shown by nothing");
      }
      for (String bench : measured) {
        if (!measurements.contains(bench)) {
          found.add(name + ": there is no measurement " + bench);
        }
      }
      if (PROMISES.contains(name.charAt(0))
          && !WITHOUT_NAMED_TEST.contains(name)
          && row.getValue().stream()
              .map(test -> test.substring(test.indexOf('#') + 1))
              .noneMatch(method -> numbersIn(method).contains(name))) {
        found.add(name + " has no test with its number in the name");
      }
      for (String test : row.getValue()) {
        String problem = problem(test, source);
        if (problem != null) {
          found.add(name + ": " + test + " " + problem);
        }
      }
    }
    return found;
  }

  private static @Nullable String problem(String test, Function<String, @Nullable String> source) {
    int hash = test.indexOf('#');
    String text = source.apply(test.substring(0, hash));
    if (text == null) {
      return "is in no class that there is";
    }
    List<String> lines = text.lines().toList();
    Pattern method = Pattern.compile("\\bvoid " + test.substring(hash + 1) + "\\(");
    for (int at = 0; at < lines.size(); at++) {
      if (method.matcher(lines.get(at)).find()) {
        String above = above(lines, at);
        if (!above.contains("@Test") && !above.contains("@ParameterizedTest")) {
          return "is no test";
        }
        return (above + aboveClass(lines)).contains("@Disabled") ? "is switched off" : null;
      }
    }
    return "does not exist";
  }

  /** The lines above one, up to an empty one: annotations, and words about it. */
  private static String above(List<String> lines, int at) {
    int from = at;
    while (from > 0 && !lines.get(from - 1).isBlank()) {
      from--;
    }
    return String.join("\n", lines.subList(from, at));
  }

  private static String aboveClass(List<String> lines) {
    for (int at = 0; at < lines.size(); at++) {
      if (lines.get(at).matches("(?:public |final |abstract )*class .*")) {
        return above(lines, at);
      }
    }
    return "";
  }
}
