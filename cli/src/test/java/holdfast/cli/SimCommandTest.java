package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The simulator as a command: what it prints, and by which exit code it tells what happened. */
class SimCommandTest {
  @TempDir Path home;

  private Cli cli() {
    return new Cli(home);
  }

  @Test
  void worldsThatEndWellAreCounted() {
    Map<String, Object> all = cli().json("sim", "--seed", "0", "--runs", "5");
    assertThat(all).containsEntry("well", true);
    assertThat(String.valueOf(all.get("runs"))).startsWith("5");
    assertThat(cli().ok("sim", "--seed", "3")).contains("1 worlds from seed 3: all is well");
  }

  @Test
  void theSameSeedHasTheSameTrace() {
    String first = String.valueOf(cli().json("sim", "--seed", "7").get("trace"));
    assertThat(cli().json("sim", "--seed", "7")).containsEntry("trace", first);
    assertThat(cli().json("sim", "--seed", "8").get("trace")).isNotEqualTo(first);
  }

  @Test
  void aBrokenPromiseIsToldWithTheCommandThatRepeatsIt() {
    String[] planted = {"sim", "--seed", "0", "--runs", "400", "--bug", "MARKERS_SHARED"};
    String out = cli().run(planted).failsWith(3).out();
    assertThat(out).contains("WRONG: ", "repeat it with: holdfast sim --seed ");
    String seed = out.replaceAll("(?s).*--seed (\\d+) .*", "$1");
    cli().run("sim", "--seed", seed, "--bug", "MARKERS_SHARED").failsWith(3);
    cli().ok("sim", "--seed", seed);
  }

  @Test
  void whatDoesNotEndHasAnExitCodeOfItsOwn() {
    cli().run("sim", "--seed", "0", "--runs", "400", "--bug", "NEVER_IN_FULL").failsWith(4);
  }

  @Test
  void usageIsChecked() {
    cli().run("sim", "--runs", "0").failsWith(2);
    cli().run("sim", "--bug", "SUCH_IS_LIFE").failsWith(2);
  }
}
