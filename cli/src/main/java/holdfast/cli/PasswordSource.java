package holdfast.cli;

import java.io.Console;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * Where a password comes from: a file, the standard input, or somebody who is asked. Never an
 * argument, which others on the machine can see.
 */
final class PasswordSource {
  private static final int MOST_BYTES = 1024;

  @Option(
      names = "--password-file",
      paramLabel = "FILE",
      description = "Read the password from the first line of a file; - for the standard input.")
  @Nullable String file;

  /** Lends the password's bytes and wipes them. */
  void use(Terminal terminal, Consumer<byte[]> consumer) throws IOException {
    byte[] password = read(terminal);
    try {
      consumer.accept(password);
    } finally {
      Arrays.fill(password, (byte) 0);
    }
  }

  private byte[] read(Terminal terminal) throws IOException {
    String named = file;
    if (named != null && !named.equals("-")) {
      try (InputStream in = Files.newInputStream(Path.of(named))) {
        return firstLine(in);
      } catch (IOException e) {
        throw Failure.failed(
            "the password file " + named + " cannot be read: " + e.getMessage(),
            "Name a file with the password on its first line.");
      }
    }
    Console console = named == null ? System.console() : null;
    return console == null || !console.isTerminal() ? firstLine(terminal.in) : asked(console);
  }

  private static byte[] firstLine(InputStream in) throws IOException {
    byte[] line = new byte[MOST_BYTES];
    int size = 0;
    for (int c = in.read(); c >= 0 && c != '\n'; c = in.read()) {
      if (size == MOST_BYTES) {
        throw Failure.usage(
            "the password is longer than any may be", "A password has 8 to 72 bytes.");
      }
      line[size++] = (byte) c;
    }
    size -= size > 0 && line[size - 1] == '\r' ? 1 : 0;
    byte[] password = Arrays.copyOf(line, size);
    Arrays.fill(line, (byte) 0);
    return password;
  }

  private static byte[] asked(Console console) {
    char[] first = console.readPassword("Password: ");
    char[] second = console.readPassword("Again: ");
    try {
      if (first == null || !Arrays.equals(first, second)) {
        throw Failure.usage("the two passwords differ", "Try again.");
      }
      ByteBuffer utf8 = StandardCharsets.UTF_8.encode(CharBuffer.wrap(first));
      byte[] password = new byte[utf8.remaining()];
      utf8.get(password);
      utf8.rewind();
      while (utf8.hasRemaining()) {
        utf8.put((byte) 0);
      }
      return password;
    } finally {
      wipe(first);
      wipe(second);
    }
  }

  private static void wipe(char @Nullable [] secret) {
    if (secret != null) {
      Arrays.fill(secret, '\0');
    }
  }
}
