package holdfast.cli;

import holdfast.capsule.ContentKey;
import holdfast.capsule.Statement;
import holdfast.crypto.ReaderKey;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Gives readers the content keys. */
@Command(
    name = "grant",
    description = "Gives a reader the keys to a capsule's content, sealed to the reader alone.",
    footerHeading = "%n",
    footer = {
      "The reader gets every epoch there is. To shut a reader out of what comes, begin a new epoch and",
      "grant it to those who stay; who is not named cannot read what is appended from then on.",
      "",
      "Examples:",
      "  holdfast grant 3f2a --to x25519:… --key me.pem",
      "  holdfast grant 3f2a --new-epoch --to x25519:… --key me.pem",
      "",
      "All servers on which the capsule is placed are told; one that takes it brings it to the others.",
      "",
      "JSON: capsule, epochs, newEpoch, readers, acknowledged (servers), servers (server, identity,",
      "acknowledged, reason)"
    })
final class GrantCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--to",
      paramLabel = "READER_KEY",
      arity = "1..*",
      split = ",",
      description = "Who is to read; 'holdfast key show FILE' prints it there.")
  List<String> to = new ArrayList<>();

  @Mixin OwnerKey key = new OwnerKey();

  @Option(names = "--new-epoch", description = "Seal what is appended from now on with a new key.")
  boolean newEpoch;

  GrantCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    if (to.isEmpty() && !newEpoch) {
      throw Failure.usage("nobody is named to whom to grant", "Add --to READER_KEY.");
    }
    List<ReaderKey.PublicHalf> readers = to.stream().map(ReaderKey.PublicHalf::parse).toList();
    SigningKey owner = key.read(terminal);
    try (Target target = openNamed(capsule);
        Source source = source(target)) {
      List<ContentKey> keys =
          source.ask(reader -> {
            OwnerKey.require(reader, owner);
            return contentKeys(target.home(), reader, List.of(owner));
          });
      if (keys.isEmpty()) {
        throw noContentKey(target.capsule());
      }
      long now = System.currentTimeMillis();
      int last = keys.getLast().epoch();
      List<Statement> grants = new ArrayList<>();
      if (newEpoch) {
        ContentKey fresh = CreateCommand.freshContentKey(last + 1);
        target.home().keep(target.capsule(), fresh);
        keys.add(fresh);
        // To the owner too, so that the key file is all that has to be kept.
        grants.add(
            Statement.Grant.sign(
                target.capsule(), now, fresh, owner.readerKey().publicHalf(), owner));
      }
      for (ReaderKey.PublicHalf one : readers) {
        for (ContentKey each : keys) {
          grants.add(Statement.Grant.sign(target.capsule(), now, each, one, owner));
        }
      }
      Declared declared = Declared.by(source, target, grants);
      List<Integer> epochs = keys.stream().map(ContentKey::epoch).toList();
      print(
          declared.add(
              Json.object()
                  .put("capsule", target.capsule())
                  .put("epochs", epochs)
                  .put("newEpoch", newEpoch ? last + 1 : null)
                  .put("readers", to)),
          (newEpoch ? "Epoch " + (last + 1) + " begins. " : "")
              + "Granted epochs "
              + epochs
              + " to "
              + count(readers.size(), "reader")
              + ". "
              + declared.text());
    }
    return 0;
  }
}
