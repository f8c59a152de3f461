package holdfast.cli;

import holdfast.edge.EdgeAdmin;
import java.util.ArrayList;
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
  abstract static class About extends BaseCommand {
    @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

    @Parameters(index = "0", paramLabel = "NAME", description = "The user.")
    String name = "";

    About(Terminal terminal) {
      super(terminal);
    }

    abstract String change(EdgeAdmin edge) throws Exception;

    @Override
    int run() throws Exception {
      try (EdgeAdmin edge = EdgeAdmin.of(where.folder(terminal))) {
        String done = change(edge);
        print(Json.object().put("user", name).put("done", done), name + " " + done);
      }
      return 0;
    }
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
      rights.add(new EdgeAdmin.Right(one.substring(0, equals), one.substring(equals + 1)));
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
        description = "What the user may do: read, write or admin in a space, or in * for all.")
    List<String> grant = new ArrayList<>();

    Add(Terminal terminal) {
      super(terminal);
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
        description = "read, write, admin or none, in a space, or in * for all.")
    List<String> grant = new ArrayList<>();

    Grant(Terminal terminal) {
      super(terminal);
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
  static final class ListUsers extends BaseCommand {
    @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

    ListUsers(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() {
      try (EdgeAdmin edge = EdgeAdmin.of(where.folder(terminal))) {
        for (EdgeAdmin.User user : edge.users()) {
          List<String> rights =
              user.rights().stream().map(one -> one.space() + "=" + one.right()).toList();
          print(
              Json.object().put("user", user.name()).put("rights", rights),
              user.name() + "  " + String.join(" ", rights));
        }
      }
      return 0;
    }
  }
}
