package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Each promise in docs/promises.md names tests that there are, and that run. */
class PromisesDocumentTest {
  private static final Path ROOT = PureModulesTest.projectRoot();

  @Test
  void everyPromiseNamesTestsThatRun() throws IOException {
    PromisesTable table = PromisesTable.parse(Files.readString(ROOT.resolve("docs/promises.md")));
    assertThat(table.tests()).hasSizeGreaterThan(100);
    List<String> problems = table.problems(PromisesDocumentTest::source, measurements());
    assertThat(problems)
        .withFailMessage(() ->
            "docs/promises.md does not agree with the tests:%n  %s"
                .formatted(String.join("\n  ", problems)))
        .isEmpty();
  }

  /** The source of a class of tests: {@code node/heartbeat/VigilTest}. */
  private static @Nullable String source(String name) {
    int slash = name.indexOf('/');
    Path tests = ROOT.resolve(name.substring(0, slash)).resolve("src/test/java/holdfast");
    Path file =
        tests.resolve(packageOf(name) + "/" + name.substring(name.lastIndexOf('/') + 1) + ".java");
    try {
      return Files.isRegularFile(file) ? Files.readString(file) : null;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A module's package bears its name. */
  private static String packageOf(String name) {
    return name.substring(0, name.lastIndexOf('/'));
  }

  private static Set<String> measurements() throws IOException {
    Pattern named = Pattern.compile("name = \"([a-z]+)\"");
    try (Stream<Path> files = Files.list(ROOT.resolve("bench/src/main/java/holdfast/bench"))) {
      StringBuilder all = new StringBuilder();
      for (Path file : files.filter(f -> f.toString().endsWith("Bench.java")).toList()) {
        all.append(Files.readString(file));
      }
      return named.matcher(all).results().map(found -> found.group(1)).collect(Collectors.toSet());
    }
  }

  private static final String SOURCE =
      """
      package some;

      /** Words. */
      class SomeTest {
        @Test
        void d1ItHolds() {}

        @ParameterizedTest
        @EnumSource
        void itHoldsForAll(Kind kind) {}

        @Test
        @Disabled("some day")
        void d2SwitchedOff() {}

        void d3NoTest() {}
      }
      """;

  private static List<String> problems(String row) {
    return PromisesTable.parse(row)
        .problems(
            name ->
                switch (name) {
                  case "some/SomeTest" -> SOURCE;
                  case "some/OffTest" -> SOURCE.replace("class S", "@Disabled\nclass S");
                  default -> null;
                },
            Set.of("clients"))
        .stream()
        .filter(problem -> !problem.endsWith(" is missing"))
        .toList();
  }

  @Test
  void everyKindOfProblemIsReported() {
    assertThat(problems("| D1 | words | `some/SomeTest#d1ItHolds` `#itHoldsForAll` |")).isEmpty();
    assertThat(problems("| D43 | words | `holdfast bench clients` |")).isEmpty();
    assertThat(problems("| D2 | words | `some/SomeTest#d2SwitchedOff` |"))
        .containsExactly("D2: some/SomeTest#d2SwitchedOff is switched off");
    assertThat(problems("| D1 | words | `some/OffTest#d1ItHolds` |"))
        .containsExactly("D1: some/OffTest#d1ItHolds is switched off");
    assertThat(problems("| D3 | words | `some/SomeTest#d3NoTest` |"))
        .containsExactly("D3: some/SomeTest#d3NoTest is no test");
    assertThat(problems("| D1 | words | `some/SomeTest#d1ItHold` |"))
        .containsExactly("D1: some/SomeTest#d1ItHold does not exist");
    assertThat(problems("| D1 | words | `other/SomeTest#d1ItHolds` |"))
        .containsExactly("D1: other/SomeTest#d1ItHolds is in no class that there is");
    assertThat(problems("| D2 | words | `some/SomeTest#d1ItHolds` |"))
        .containsExactly("D2 has no test with its number in the name");
    assertThat(problems("| D43 | words | `holdfast bench nothing` |"))
        .containsExactly("D43: there is no measurement nothing");
    assertThat(problems("| P1 | words | by looking at it |"))
        .containsExactly("P1 is shown by nothing");
    assertThat(problems("| P1 | words | `#d1ItHolds` |"))
        .contains("P1: neither a test nor a measurement: #d1ItHolds");
    assertThat(problems("| D99 | words | `some/SomeTest#d1ItHolds` |")).contains("D99 is no row");
    assertThat(
            problems(
                "| P1 | a | `some/SomeTest#d1ItHolds` |\n| P1 | a | `holdfast bench clients` |"))
        .containsExactly("P1 stands there twice");
    assertThat(problems("| P1 | two columns |"))
        .containsExactly("no row of three columns: | P1 | two columns |");
    assertThat(PromisesTable.parse("").problems(name -> null, Set.of()))
        .hasSize(PromisesTable.rows().size())
        .contains("D1 is missing", "D53 is missing", "I33 is missing", "M2 is missing");
  }

  @Test
  void aNameTellsWhichPromisesATestShows() {
    assertThat(PromisesTable.numbersIn("d13d17d18ProofsFromCaches"))
        .containsExactly("D13", "D17", "D18");
    assertThat(PromisesTable.numbersIn("D9_D10_everyWrite")).containsExactly("D9", "D10");
    assertThat(PromisesTable.numbersIn("i20DevicesGoOnAndI21TheBackupToo"))
        .containsExactly("I20", "I21");
    assertThat(PromisesTable.numbersIn("http1AndHttp2AreSpoken")).isEmpty();
  }
}
