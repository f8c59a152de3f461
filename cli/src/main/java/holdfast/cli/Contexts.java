package holdfast.cli;

import holdfast.client.Home;
import holdfast.client.PrivateFiles;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Servers that have a name in holdfast.toml, which is written wherever a server is:
 *
 * <pre>
 *   server = "site"                  the one that is used when none is named
 *
 *   [context.site]
 *   server = "site.example:7420"
 *   identity = "ed25519:…"           who it must be
 * </pre>
 *
 * <p>All else in the file is left as it is.
 */
final class Contexts {
  private static final String SECTION = "context.";
  private static final String NAME = "[a-z0-9-]+";

  private final Path file;
  private final Map<String, Context> named;
  private final @Nullable String current;

  /** A server with a name. */
  record Context(String name, Endpoint server, VerifyKey identity) {}

  private Contexts(Path file, Map<String, Context> named, @Nullable String current) {
    this.file = file;
    this.named = named;
    this.current = current;
  }

  /** Whether a key of the file belongs to a context. */
  static boolean owns(String key) {
    return key.matches("context\\." + NAME + "\\.(server|identity)");
  }

  /** The contexts in the file of settings; none when there is no file. */
  static Contexts of(Home home) throws IOException {
    Path file = home.settings();
    return Files.exists(file)
        ? of(file, Settings.parse(Files.readAllLines(file), file.toString()))
        : new Contexts(file, Map.of(), null);
  }

  /** The contexts among settings; a failure when one is not whole. */
  static Contexts of(Path file, Map<String, String> settings) {
    TreeSet<String> names = new TreeSet<>();
    for (String key : settings.keySet()) {
      if (owns(key)) {
        names.add(key.substring(SECTION.length(), key.lastIndexOf('.')));
      }
    }
    Map<String, Context> named = new TreeMap<>();
    for (String name : names) {
      String server = settings.get(SECTION + name + ".server");
      String identity = settings.get(SECTION + name + ".identity");
      if (server == null || identity == null) {
        throw Failure.usage(
            file + ": [" + SECTION + name + "] has no " + (server == null ? "server" : "identity"),
            "Write both: server = \"HOST:PORT\" and identity = \"ed25519:…\"");
      }
      try {
        named.put(name, new Context(name, Endpoint.parse(server), VerifyKey.parse(identity)));
      } catch (IllegalArgumentException e) {
        throw Failure.usage(
            file + ": [" + SECTION + name + "] cannot be understood: " + e.getMessage(),
            "Write: server = \"HOST:PORT\" and identity = \"ed25519:…\"");
      }
    }
    return new Contexts(file, named, settings.get("server"));
  }

  /**
   * The server that is meant: by its name, or as HOST:PORT. One with a name must be who its context
   * says; that is pinned, so that it holds wherever its address is used.
   */
  static Endpoint resolve(Home home, String text) {
    Context context;
    try {
      context = of(home).named.get(text);
    } catch (IOException e) {
      throw Failure.usage("cannot read " + home.settings() + ": " + e, "Check the file.");
    }
    if (context == null) {
      return Endpoint.parse(text);
    }
    Optional<VerifyKey> pinned = home.pinned(context.server());
    if (pinned.isEmpty()) {
      home.pin(context.server(), context.identity());
    } else if (!pinned.get().equals(context.identity())) {
      throw new Failure(
          Failure.VIOLATION,
          "the context '"
              + text
              + "' names "
              + context.identity()
              + ", and "
              + context.server()
              + " is pinned as "
              + pinned.get(),
          "If the server was replaced on purpose, run: holdfast pin "
              + context.server()
              + " "
              + context.identity());
    }
    return context.server();
  }

  /** All of them, by name. */
  List<Context> all() {
    return List.copyOf(named.values());
  }

  /** Whether a server is the one that is used when none is named. */
  boolean isCurrent(Context context) {
    return context.name().equals(current);
  }

  /** The context of this name; a failure when there is none. */
  Context require(String name) {
    Context found = named.get(name);
    if (found == null) {
      throw Failure.failed(
          "there is no context '" + name + "'", "'holdfast context list' shows which there are.");
    }
    return found;
  }

  /** Adds a context, or replaces the one of its name. */
  void put(Context context) throws IOException {
    if (!context.name().matches(NAME)) {
      throw Failure.usage(
          "'" + context.name() + "' is no name for a context",
          "Use small letters, digits and dashes.");
    }
    List<String> lines = without(context.name());
    if (!lines.isEmpty() && !lines.getLast().isBlank()) {
      lines.add("");
    }
    lines.add("[" + SECTION + context.name() + "]");
    lines.add("server = \"" + context.server() + "\"");
    lines.add("identity = \"" + context.identity() + "\"");
    write(lines);
  }

  /** Takes a context away; if it was the one that is used, none is from then on. */
  void remove(String name) throws IOException {
    Context gone = require(name);
    List<String> lines = without(name);
    if (isCurrent(gone)) {
      lines.remove(currentLine(lines));
    }
    write(lines);
  }

  /** Makes a context the one that is used when no server is named. */
  void use(String name) throws IOException {
    require(name);
    List<String> lines = lines();
    int at = currentLine(lines);
    String line = "server = \"" + name + "\"";
    if (at < 0) {
      lines.addFirst(line);
    } else {
      lines.set(at, line);
    }
    write(lines);
  }

  private List<String> lines() throws IOException {
    return Files.exists(file) ? new ArrayList<>(Files.readAllLines(file)) : new ArrayList<>();
  }

  /** The lines without the section of a context. */
  private List<String> without(String name) throws IOException {
    List<String> kept = new ArrayList<>();
    boolean within = false;
    for (String line : lines()) {
      if (section(line)) {
        within = line.strip().startsWith("[" + SECTION + name + "]");
      }
      if (!within) {
        kept.add(line);
      }
    }
    return kept;
  }

  private static boolean section(String line) {
    return line.strip().startsWith("[");
  }

  /** Where the server stands that is used when none is named; -1 when it does not. */
  private static int currentLine(List<String> lines) {
    for (int i = 0; i < lines.size() && !section(lines.get(i)); i++) {
      if (lines.get(i).matches("\\s*server\\s*=.*")) {
        return i;
      }
    }
    return -1;
  }

  private void write(List<String> lines) throws IOException {
    PrivateFiles.write(file, String.join("\n", lines) + "\n");
  }
}
