package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.node.Node;
import holdfast.testkit.Patience;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Servers that have names in the file of settings. */
@Timeout(Patience.TEST_SECONDS)
class ContextTest {
  @TempDir Path folder;
  private Node one;
  private Node two;
  private Cli cli;

  @BeforeEach
  void start() {
    one = Cli.serve(folder.resolve("one"));
    two = Cli.serve(folder.resolve("two"));
    cli = new Cli(folder.resolve("home"));
  }

  @AfterEach
  void stop() {
    one.close();
    two.close();
  }

  private static String address(Node node) {
    return node.endpoint().toString();
  }

  private void add(String name, Node node) {
    cli.ok("context", "add", name, address(node), node.identity().toString());
  }

  @Test
  void aNameStandsForAnAddressAndAnIdentity() {
    assertThat(cli.ok("context", "list")).isEmpty();
    add("one", one);
    add("site-2", two);
    assertThat(cli.json("status", "--server", "one"))
        .containsEntry("server", address(one))
        .containsEntry("identity", one.identity().toString());
    assertThat(cli.json("status", "--server", "site-2")).containsEntry("server", address(two));
    assertThat(cli.ok("context", "list").lines())
        .hasSize(2)
        .first()
        .asString()
        .contains("one", address(one), one.identity().toString());
    cli.run("context", "add", "Not a name", address(one)).failsWith(2);
    cli.run("context", "use", "nobody").failsWith(1);
    cli.run("context", "remove", "nobody").failsWith(1);
    // Pinned already: the key may be left out. A server that nobody vouches for may not be named.
    cli.ok("context", "add", "again", address(one));
    cli.run("context", "add", "stranger", "archive.example:7420").failsWith(1);
  }

  @Test
  void oneIsUsedWhenNoneIsNamedAndAllElseInTheFileStays() throws Exception {
    Path file = cli.home.resolve("holdfast.toml");
    Files.createDirectories(cli.home);
    Files.writeString(file, "# mine\nquorum = 1\n\n[up]\nport = 1  # here\n");
    add("one", one);
    add("two", two);
    cli.ok("context", "use", "one");
    assertThat(cli.json("status")).containsEntry("server", address(one));
    cli.ok("context", "use", "two");
    assertThat(cli.json("status")).containsEntry("server", address(two));
    assertThat(cli.json("context", "list")).containsEntry("current", false);
    // The same name again: another server.
    add("two", one);
    assertThat(cli.json("status")).containsEntry("server", address(one));
    assertThat(Files.readAllLines(file))
        .contains("# mine", "quorum = 1", "[up]", "port = 1  # here")
        .containsOnlyOnce("[context.two]", "server = \"two\"");
    cli.ok("context", "remove", "two");
    assertThat(Files.readAllLines(file))
        .contains("# mine", "[up]", "[context.one]")
        .doesNotContain("[context.two]", "server = \"two\"");
    cli.environment.put("HOLDFAST_SERVER", "one");
    assertThat(cli.json("status")).containsEntry("server", address(one));
  }

  @Test
  void whoAnswersMustBeWhoTheNameSays() throws Exception {
    Path file = cli.home.resolve("holdfast.toml");
    Files.createDirectories(cli.home);
    String context = "[context.site]\nserver = \"" + address(one) + "\"\nidentity = \"";
    Files.writeString(file, context + two.identity() + "\"\n");
    assertThat(cli.run("status", "--server", "site").failsWith(3).err()).contains("WRONG_SERVER");
    // Pinned otherwise by hand: one of the two is wrong.
    cli.ok("pin", address(one), one.identity().toString());
    assertThat(cli.run("status", "--server", "site").failsWith(3).err())
        .contains("is pinned as " + one.identity());
    Files.writeString(file, context + one.identity() + "\"\n");
    cli.ok("status", "--server", "site");
  }

  @Test
  void aContextThatIsNotWholeEndsACommandBeforeItBegins() throws Exception {
    Path file = cli.home.resolve("holdfast.toml");
    Files.createDirectories(cli.home);
    for (String wrong :
        List.of(
            "[context.a]\nserver = \"x:1\"",
            "[context.a]\nidentity = \"" + one.identity() + "\"",
            "[context.a]\nserver = \"x:1\"\nidentity = \"nobody\"",
            "[context.a]\nserver = \"x:1\"\nidentity = \"" + one.identity() + "\"\nsever = \"y\"",
            "[context]\nserver = \"x:1\"")) {
      Files.writeString(file, wrong + "\n");
      assertThat(cli.run("pin").failsWith(2).err()).contains("holdfast.toml");
    }
  }
}
