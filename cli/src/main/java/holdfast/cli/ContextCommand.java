package holdfast.cli;

import holdfast.client.Home;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Names servers. */
@Command(
    name = "context",
    description = "Gives servers names, and says which is used when none is named.",
    footerHeading = "%n",
    footer = {
      "A name stands for an address and the identity that must answer there. It is written wherever a",
      "server is: holdfast status --server site. Names are kept in HOLDFAST_HOME/holdfast.toml."
    })
final class ContextCommand extends GroupCommand {
  ContextCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new ContextCommand(terminal))
        .addSubcommand(new Add(terminal))
        .addSubcommand(new Names(terminal))
        .addSubcommand(new Use(terminal))
        .addSubcommand(new Remove(terminal));
  }

  private static Json json(Contexts contexts, Contexts.Context one) {
    return Json.object()
        .put("name", one.name())
        .put("server", one.server())
        .put("identity", one.identity())
        .put("current", contexts.isCurrent(one));
  }

  private static String text(Contexts contexts, Contexts.Context one) {
    return (contexts.isCurrent(one) ? "* " : "  ")
        + one.name()
        + "  "
        + one.server()
        + " "
        + one.identity();
  }

  /** Names a server. */
  @Command(
      name = "add",
      description = "Names a server; one that has the name already is replaced.",
      footerHeading = "%n",
      footer = {
        "The server is pinned with this identity. It may be left out for a server that is pinned.",
        "",
        "Example:",
        "  holdfast context add site site.example:7420 ed25519:…",
        "",
        "JSON: name, server, identity, current"
      })
  static final class Add extends BaseCommand {
    @Parameters(index = "0", paramLabel = "NAME", description = "The name.")
    String name = "";

    @Parameters(index = "1", paramLabel = "HOST:PORT", description = "The server.")
    String server = "";

    @Parameters(index = "2", arity = "0..1", paramLabel = "KEY", description = "Its identity.")
    @Nullable String key;

    Add(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      Home home = terminal.home();
      Endpoint endpoint = Endpoint.parse(server);
      VerifyKey identity =
          key != null
              ? VerifyKey.parse(key)
              : home.pinned(endpoint)
                  .orElseThrow(() ->
                      Failure.failed(
                          "no identity is pinned for " + endpoint,
                          "Say who it must be: holdfast context add "
                              + name
                              + " "
                              + endpoint
                              + " KEY"));
      Contexts.Context made = new Contexts.Context(name, endpoint, identity);
      Contexts.of(home).put(made);
      home.pin(endpoint, identity);
      Contexts now = Contexts.of(home);
      print(json(now, made), text(now, made));
      return 0;
    }
  }

  /** Lists what is named. */
  @Command(
      name = "list",
      description = "Lists the servers that have names; * marks the one that is used.",
      footerHeading = "%n",
      footer = {
        "Example:",
        "  holdfast context list",
        "",
        "JSON, a line each: name, server, identity, current"
      })
  static final class Names extends BaseCommand {
    Names(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      Contexts contexts = Contexts.of(terminal.home());
      contexts.all().forEach(one -> print(json(contexts, one), text(contexts, one)));
      return 0;
    }
  }

  /** Says which server is used. */
  @Command(
      name = "use",
      description = "Makes a server the one that is used when none is named.",
      footerHeading = "%n",
      footer = {
        "It is used, and no other, as with --server; a capsule that is placed on several servers is then",
        "looked for on this one alone. 'holdfast context remove' of it ends that.",
        "",
        "Example:",
        "  holdfast context use site",
        "",
        "JSON: name, server, identity, current"
      })
  static final class Use extends BaseCommand {
    @Parameters(paramLabel = "NAME", description = "The name.")
    String name = "";

    Use(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      Contexts.of(terminal.home()).use(name);
      Contexts now = Contexts.of(terminal.home());
      print(json(now, now.require(name)), text(now, now.require(name)));
      return 0;
    }
  }

  /** Takes a name away. */
  @Command(
      name = "remove",
      description = "Takes a name away; the server stays pinned.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast context remove site", "", "JSON: name, server, identity"})
  static final class Remove extends BaseCommand {
    @Parameters(paramLabel = "NAME", description = "The name.")
    String name = "";

    Remove(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      Contexts contexts = Contexts.of(terminal.home());
      Contexts.Context gone = contexts.require(name);
      contexts.remove(name);
      print(
          Json.object()
              .put("name", gone.name())
              .put("server", gone.server())
              .put("identity", gone.identity()),
          name + " is no name of a server any more");
      return 0;
    }
  }
}
