package holdfast.cli;

import holdfast.client.Home;
import java.io.BufferedOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** What a command reads from and writes to. */
final class Terminal {
  private static final char REPLACEMENT = '\uFFFD';

  final PrintStream out;
  final PrintStream err;
  final InputStream in;
  final Map<String, String> environment;

  /** Whether a person watches the error stream, so that progress is worth drawing. */
  final boolean watched;

  /** Whether results go to a terminal, not to a file or another program. */
  final boolean shown;

  Terminal(
      OutputStream out,
      OutputStream err,
      InputStream in,
      Map<String, String> environment,
      boolean watched,
      boolean shown) {
    this.out =
        new PrintStream(new BufferedOutputStream(out, 1 << 16), false, StandardCharsets.UTF_8);
    this.err = new PrintStream(err, true, StandardCharsets.UTF_8);
    this.in = in;
    this.environment = environment;
    this.watched = watched;
    this.shown = shown;
  }

  /** The user's folder: HOLDFAST_HOME, or .holdfast in the home folder. */
  Home home() {
    String named = environment.get("HOLDFAST_HOME");
    return Home.at(
        named == null || named.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".holdfast")
            : Path.of(named));
  }

  boolean debug() {
    return "1".equals(environment.get("HOLDFAST_DEBUG"));
  }

  /** Prints a line that is to be seen at once, by a pipe too. */
  void line(String text) {
    out.print(harmless(text, true));
    out.print('\n');
    out.flush();
  }

  /** Writes content: byte for byte, but nothing that would steer a terminal to one. */
  void content(byte[] content) {
    if (shown) {
      out.print(harmless(new String(content, StandardCharsets.UTF_8), true));
    } else {
      out.write(content, 0, content.length);
    }
  }

  /** Prints a remark that is no result. */
  void note(String text) {
    err.print(harmless(text, true));
    err.print('\n');
  }

  /**
   * Text of somebody else, to stand within a line: what would steer the terminal, begin a line or
   * turn the order of the letters around is replaced.
   */
  static String clean(String text) {
    return harmless(text, false);
  }

  private static String harmless(String text, boolean lines) {
    StringBuilder clean = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean layout = lines && (c == '\n' || c == '\t');
      clean.append(steers(c) && !layout ? REPLACEMENT : c);
    }
    return clean.toString();
  }

  /** Whether a character controls a terminal (C0, DEL, C1), ends a line or changes direction. */
  static boolean steers(char c) {
    return c < 0x20
        || (c >= 0x7F && c <= 0x9F)
        || (c >= 0x2028 && c <= 0x202E)
        || (c >= 0x2066 && c <= 0x2069);
  }
}
