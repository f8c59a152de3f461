package holdfast.cli;

import holdfast.client.PrivateFiles;
import holdfast.crypto.SigningKey;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes and shows keys. */
@Command(
    name = "key",
    description = "Makes, shows and backs up keys.",
    footerHeading = "%n",
    footer = {
      "A key file is PKCS#8 PEM, which openssl reads. It signs (ed25519:…) and opens what was granted",
      "to it (x25519:…). A lost key is lost: keep a backup.",
      "Keys in HOLDFAST_HOME/keys are found by their name, and open grants without being named."
    })
final class KeyCommand extends GroupCommand {
  KeyCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new KeyCommand(terminal))
        .addSubcommand(new New(terminal))
        .addSubcommand(new Show(terminal))
        .addSubcommand(new Backup(terminal));
  }

  private static Json describe(SigningKey key) {
    return Json.object().put("key", key.verifyKey()).put("readerKey", key.readerKey().publicHalf());
  }

  private static String text(SigningKey key) {
    return key.verifyKey() + "\nreader " + key.readerKey().publicHalf();
  }

  /** Makes a key. */
  @Command(
      name = "new",
      description = "Makes a key file that only you can read.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast key new me.pem", "", "JSON: key, readerKey, file"})
  static final class New extends BaseCommand {
    @Parameters(paramLabel = "FILE", description = "The file to make; it must not exist yet.")
    Path file = Path.of("");

    New(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      SigningKey key = SigningKey.generate(new SecureRandom());
      try {
        PrivateFiles.create(file, key.toPem());
      } catch (FileAlreadyExistsException e) {
        throw Failure.failed(
            file + " exists already, and a key is never overwritten",
            "Choose another name, or show what is there: holdfast key show " + file);
      }
      print(describe(key).put("file", file), text(key));
      return 0;
    }
  }

  /** Shows the public halves of a key. */
  @Command(
      name = "show",
      description = "Shows the public halves of a key: who you are, and what to grant to.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast key show me.pem", "", "JSON: key, readerKey"})
  static final class Show extends BaseCommand {
    @Parameters(paramLabel = "FILE", description = "A key file, or the name of a key kept at home.")
    String file = "";

    Show(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() {
      SigningKey key = terminal.home().key(file);
      print(describe(key), text(key));
      return 0;
    }
  }

  /** Prints a private key. */
  @Command(
      name = "backup",
      description = "Prints a private key, to be kept in a safe place.",
      footerHeading = "%n",
      footer = {
        "Examples:",
        "  holdfast key backup me.pem -o /media/stick/me.pem",
        "  holdfast key backup me.pem | openssl pkey -noout -text",
        "",
        "JSON: pem, or file with -o"
      })
  static final class Backup extends BaseCommand {
    @Parameters(paramLabel = "FILE", description = "A key file, or the name of a key kept at home.")
    String file = "";

    @Option(
        names = {"-o", "--output"},
        paramLabel = "FILE",
        description = "Write to a file that only you can read.")
    @Nullable Path output;

    Backup(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      SigningKey key = terminal.home().key(file);
      terminal.note("Whoever reads this key can write and govern in your name. Keep it off line.");
      if (output == null) {
        print(Json.object().put("pem", key.toPem()), key.toPem().stripTrailing());
      } else {
        PrivateFiles.create(output, key.toPem());
        print(Json.object().put("file", output), "Written to " + output);
      }
      return 0;
    }
  }
}
