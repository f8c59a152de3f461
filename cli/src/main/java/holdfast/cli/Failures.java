package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/** Says what went wrong: one line what happened, one line what to do next, and the exit code. */
final class Failures {
  private static final String DEBUG_HINT = "HOLDFAST_DEBUG=1 shows where it happened.";

  private static final String IN_USE = "Stop that one first, or use another folder: --data DIR";
  private static final String NO_SUCH_FILE = "Check the path; 'holdfast key new FILE' makes a key.";

  private Failures() {}

  /** What is said about a failure. */
  record Account(int exitCode, String code, String message, String next) {}

  static int report(Terminal terminal, Throwable failure, boolean json) {
    return report(terminal, account(failure), failure, json);
  }

  /** The same of a command that may know better than the error's code what to do next. */
  static int report(Terminal terminal, Throwable failure, BaseCommand command) {
    Account account = account(failure);
    String better = failure instanceof HoldfastException e ? command.next(e.code()) : null;
    return report(
        terminal,
        better == null || fileIsMissing(failure)
            ? account
            : new Account(account.exitCode(), account.code(), account.message(), better),
        failure,
        command.json);
  }

  private static boolean fileIsMissing(Throwable failure) {
    return failure instanceof HoldfastException e
        && e.code() == ErrorCode.NOT_FOUND
        && e.getCause() instanceof NoSuchFileException;
  }

  private static int report(Terminal terminal, Account account, Throwable failure, boolean json) {
    terminal.out.flush();
    if (json) {
      terminal.note(
          Json.object()
              .put("error", account.code())
              .put("message", account.message())
              .put("next", account.next())
              .put("exitCode", account.exitCode())
              .toString());
    } else {
      terminal.note("holdfast: " + account.message());
      terminal.note("  " + account.next());
    }
    if (terminal.debug()) {
      terminal.note(trace(failure));
    }
    return account.exitCode();
  }

  /** Says what is wrong with the arguments. */
  static int report(Terminal terminal, CommandLine.ParameterException misuse, boolean json) {
    CommandLine command = misuse.getCommandLine();
    String help = "'" + command.getCommandSpec().qualifiedName() + " --help' shows how to use it.";
    if (json) {
      Account account = new Account(Failure.USAGE, "INVALID", oneLine(misuse.getMessage()), help);
      return report(terminal, account, misuse, true);
    }
    terminal.note("holdfast: " + oneLine(misuse.getMessage()));
    boolean suggested =
        misuse instanceof CommandLine.UnmatchedArgumentException unmatched
            && CommandLine.UnmatchedArgumentException.printSuggestions(unmatched, terminal.err);
    if (!suggested) {
      terminal.note("  " + help);
    }
    if (terminal.debug()) {
      terminal.note(trace(misuse));
    }
    return Failure.USAGE;
  }

  private static String trace(Throwable failure) {
    StringWriter trace = new StringWriter();
    failure.printStackTrace(new PrintWriter(trace, true));
    return trace.toString().stripTrailing();
  }

  private static String oneLine(@Nullable String text) {
    return text == null
        ? "no reason is known"
        : Terminal.clean(text.replaceAll("\\s*\\R\\s*", " ").strip());
  }

  static Account account(Throwable failure) {
    String message = oneLine(failure.getMessage());
    return switch (failure) {
      case Failure f -> new Account(f.exitCode(), "FAILED", message, f.next());
      case ProofException e ->
          new Account(
              Failure.VIOLATION,
              e.violation().name(),
              "integrity violation (" + e.violation() + "): " + message,
              next(e.violation()));
      case HoldfastException e when e.getCause() instanceof OverlappingFileLockException ->
          new Account(e.code().exitCode(), e.code().name(), message, IN_USE);
      case HoldfastException e when fileIsMissing(e) ->
          new Account(e.code().exitCode(), e.code().name(), message, NO_SUCH_FILE);
      case HoldfastException e ->
          new Account(e.code().exitCode(), e.code().name(), message, next(e.code()));
      case IllegalArgumentException e ->
          new Account(
              Failure.USAGE, "INVALID", message, "Check the arguments; --help shows their form.");
      case NoSuchFileException e -> files("there is no file " + message);
      case FileNotFoundException e -> files(message);
      case FileAlreadyExistsException e -> files(message + " exists already");
      case AccessDeniedException e -> files(message + " may not be accessed");
      case IOException e -> files("a file cannot be read or written: " + message);
      default ->
          new Account(
              Failure.FAILED,
              "INTERNAL",
              "unexpected: " + failure.getClass().getSimpleName() + ": " + message,
              DEBUG_HINT);
    };
  }

  private static Account files(String message) {
    return new Account(Failure.FAILED, "FILE", message, "Check the path and its permissions.");
  }

  private static String next(Violation violation) {
    return switch (violation) {
      case WRONG_SERVER -> "If this is the server you mean, run: holdfast pin HOST:PORT KEY";
      case WRONG_CAPSULE -> "Compare the capsule's name with the one you were given.";
      case WRONG_WRITER -> "Do not take this as written by that key.";
      case BAD_SEAL ->
          "Ask the capsule's owner for a grant: holdfast grant CAPSULE --to READER_KEY";
      case MALFORMED,
          LIMIT,
          WRONG_NAME,
          WRONG_BODY,
          BROKEN_CHAIN,
          BAD_SIGNATURE,
          BAD_RECEIPT,
          NOT_FRESH,
          OUTSIDE,
          MISSING ->
          "Do not rely on this data; get it from another copy and keep this one as evidence.";
    };
  }

  private static String next(ErrorCode code) {
    return switch (code) {
      case INVALID -> "Check the arguments; --help shows their form.";
      case UNKNOWN_CAPSULE -> "Check the name, or name the server that has it: --server HOST:PORT";
      case NOT_FOUND -> "Check the name; 'holdfast log CAPSULE' lists what is there.";
      case DENIED -> "Use a key that may do this: --key FILE";
      case BUSY -> "Try again in a moment.";
      case DISK_FULL -> "Free space on the server's disk; reading goes on meanwhile.";
      case QUOTA ->
          "Erase what is not needed, ask the server's operator for more (up --owner-bytes), or place"
              + " the capsule elsewhere.";
      case TOO_LARGE -> "Ask for less at once, or send smaller pieces.";
      case DAMAGED -> "Stop the server and run: holdfast fsck --data DIR";
      case STOPPING -> "Try again in a moment, when it is up again.";
      case UNREACHABLE -> "Start one with 'holdfast up', or name another: --server HOST:PORT";
      case VIOLATION -> "The server refused it; do not rely on this data.";
      case UNPROVEN -> "Try again once its writer has signed.";
      case SUCCEEDED -> "Go on in the successor; 'holdfast status CAPSULE' names it.";
      case INTERNAL -> DEBUG_HINT;
      case SUPERSEDED -> "Look at the placement that holds: holdfast status CAPSULE";
      case VERSION ->
          "Use a version of this command that the server understands, or the other way.";
    };
  }
}
