package holdfast.cli;

import holdfast.edge.EdgeAdmin;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast edge user}: who may do what on an edge. */
@Command(
    name = "user",
    description = "Adds, changes, lists and removes the users of the edge that runs here.",
    footerHeading = "%n",
    footer = {
      "Changes hold from the next request on. Rights: read; write, which includes it; admin, for all",
      "spaces together. * stands for all spaces."
    })
final class EdgeUserCommand extends GroupCommand {
  private static final List<String> RIGHTS = List.of("read", "write", "admin", "none");

  /** Mistakes in a word that leave no doubt about which one is meant. */
  private static final int CLOSE = 2;

  EdgeUserCommand(Terminal terminal) {
    super(terminal);
  }

  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new EdgeUserCommand(terminal))
        .addSubcommand(new Add(terminal))
        .addSubcommand(new Passwd(terminal))
        .addSubcommand(new Grant(terminal))
        .addSubcommand(new ListUsers(terminal))
        .addSubcommand(new Remove(terminal));
  }

  /** A command about one user. */
  abstract static class About extends RunningEdgeCommand {
    @Parameters(index = "0", paramLabel = "NAME", description = "The user.")
    String name = "";

    About(Terminal terminal) {
      super(terminal);
    }

    /** Does it, and says in a word what was done. */
    abstract String change(EdgeAdmin edge) throws Exception;

    @Override
    int run(EdgeAdmin edge) throws Exception {
      String done = change(edge);
      print(Json.object().put("user", name).put("done", done), name + " " + done);
      return 0;
    }
  }

  /** Which right is closest to what was typed, if one is close. */
  private static String meant(String typed) {
    String all = "Rights are read, write, admin and none.";
    return RIGHTS.stream()
        .min(Comparator.comparingInt(right -> distance(right, typed)))
        .filter(right -> distance(right, typed) <= CLOSE)
        .map(right -> "Did you mean '" + right + "'? " + all)
        .orElse(all);
  }

  /** How many letters have to be put in, left out, replaced or swapped with their neighbour. */
  private static int distance(String from, String to) {
    int[][] cost = new int[from.length() + 1][to.length() + 1];
    for (int i = 0; i <= from.length(); i++) {
      for (int j = 0; j <= to.length(); j++) {
        if (i == 0 || j == 0) {
          cost[i][j] = i + j;
          continue;
        }
        boolean same = from.charAt(i - 1) == to.charAt(j - 1);
        int best = Math.min(cost[i - 1][j] + 1, cost[i][j - 1] + 1);
        best = Math.min(best, cost[i - 1][j - 1] + (same ? 0 : 1));
        if (i > 1
            && j > 1
            && from.charAt(i - 1) == to.charAt(j - 2)
            && from.charAt(i - 2) == to.charAt(j - 1)) {
          best = Math.min(best, cost[i - 2][j - 2] + 1);
        }
        cost[i][j] = best;
      }
    }
    return cost[from.length()][to.length()];
  }

  /** Reads rights as they are typed: SPACE=RIGHT. */
  private static List<EdgeAdmin.Right> rights(List<String> typed) {
    List<EdgeAdmin.Right> rights = new ArrayList<>();
    for (String one : typed) {
      int equals = one.indexOf('=');
      if (equals < 1) {
        throw Failure.usage(
            "'" + one + "' is no right", "Write it like home=write, or *=read for all spaces.");
      }
      String right = one.substring(equals + 1);
      if (!RIGHTS.contains(right)) {
        throw Failure.usage("'" + right + "' is no right", meant(right));
      }
      String space = one.substring(0, equals);
      if (!space.equals("*") && !EdgeAdmin.isSpace(space)) {
        throw Failure.usage(
            "'" + space + "' is no space",
            "A space has 1 to 64 of the characters a-z 0-9 . _ - and begins with a letter or a"
                + " digit; * stands for all.");
      }
      if (right.equals("admin") && !space.equals("*")) {
        throw Failure.usage(
            "the right admin is for all spaces together, not for " + space,
            "Write *=admin, or " + space + "=write.");
      }
      rights.add(new EdgeAdmin.Right(space, right));
    }
    return rights;
  }

  /** Adds a user. */
  @Command(
      name = "add",
      description = "Adds a user; asks for the password.",
      footerHeading = "%n",
      footer = {
        "Example:",
        "  holdfast edge user add ann --grant home=write",
        "",
        "JSON: user, done"
      })
  static final class Add extends About {
    @Mixin PasswordSource password = new PasswordSource();

    @Option(
        names = "--grant",
        paramLabel = "SPACE=RIGHT",
        arity = "1..*",
        split = ",",
        description = "What the user may do: read or write in a space, or in * for all; *=admin.")
    List<String> grant = new ArrayList<>();

    Add(Terminal terminal) {
      super(terminal);
    }

    @Override
    void check() {
      rights(grant);
    }

    @Override
    String change(EdgeAdmin edge) throws Exception {
      List<EdgeAdmin.Right> rights = rights(grant);
      password.use(terminal, secret -> edge.add(name, secret, rights));
      return "added";
    }
  }

  /** Sets a password. */
  @Command(
      name = "passwd",
      description = "Sets a user's password.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast edge user passwd ann", "", "JSON: user, done"})
  static final class Passwd extends About {
    @Mixin PasswordSource password = new PasswordSource();

    Passwd(Terminal terminal) {
      super(terminal);
    }

    @Override
    String change(EdgeAdmin edge) throws Exception {
      password.use(terminal, secret -> edge.password(name, secret));
      return "changed";
    }
  }

  /** Changes rights. */
  @Command(
      name = "grant",
      description = "Changes what a user may do; rights for other spaces stay as they are.",
      footerHeading = "%n",
      footer = {
        "Example:",
        "  holdfast edge user grant ann home=read garden=write attic=none",
        "",
        "JSON: user, done"
      })
  static final class Grant extends About {
    @Parameters(
        index = "1..*",
        paramLabel = "SPACE=RIGHT",
        arity = "1..*",
        description = "read, write or none in a space, or in * for all; *=admin or *=none.")
    List<String> grant = new ArrayList<>();

    Grant(Terminal terminal) {
      super(terminal);
    }

    @Override
    void check() {
      rights(grant);
    }

    @Override
    String change(EdgeAdmin edge) {
      edge.grant(name, rights(grant));
      return "changed";
    }
  }

  /** Removes a user. */
  @Command(
      name = "remove",
      description = "Removes a user; what it has written stays.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast edge user remove ann", "", "JSON: user, done"})
  static final class Remove extends About {
    Remove(Terminal terminal) {
      super(terminal);
    }

    @Override
    String change(EdgeAdmin edge) {
      edge.remove(name);
      return "removed";
    }
  }

  /** Lists users. */
  @Command(
      name = "list",
      description = "Lists the users and what they may do.",
      footerHeading = "%n",
      footer = {"JSON, one a line: user, rights"})
  static final class ListUsers extends RunningEdgeCommand {
    ListUsers(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run(EdgeAdmin edge) {
      for (EdgeAdmin.User user : edge.users()) {
        List<String> rights =
            user.rights().stream().map(one -> one.space() + "=" + one.right()).toList();
        print(
            Json.object().put("user", user.name()).put("rights", rights),
            user.name() + "  " + String.join(" ", rights));
      }
      return 0;
    }
  }
}
