package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code holdfast edge user} without an edge: what is typed wrong is said before one is asked. */
class EdgeUserCommandTest {
  @TempDir Path folder;

  @Test
  void aRightThatCannotBeIsAMistakeInTheCommand() {
    Cli cli = new Cli(folder.resolve("home"));
    for (List<String> wrong :
        List.of(
            List.of("home=admin", "*=admin"),
            List.of("Home=write", "a-z"),
            List.of("home=wriet", "write"))) {
      Cli.Ran grant = cli.run("edge", "user", "grant", "ann", wrong.getFirst()).failsWith(2);
      assertThat(grant.err()).contains(wrong.getLast());
      cli.run("edge", "user", "add", "ann", "--grant", wrong.getFirst()).failsWith(2);
    }
    // What can be is for the edge to say, and there is none.
    cli.run("edge", "user", "grant", "ann", "*=admin", "home=none").failsWith(1);
  }
}
