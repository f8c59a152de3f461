package holdfast.cli;

import holdfast.client.CapsuleReader;
import holdfast.crypto.SigningKey;
import picocli.CommandLine.Option;

/** The option of commands that only the owner of a capsule may give. */
final class OwnerKey {
  @Option(names = "--key", paramLabel = "FILE", required = true, description = "The owner's key.")
  String file = "";

  /** Reads the key. */
  SigningKey read(Terminal terminal) {
    return terminal.home().key(file);
  }

  /** Checks that a key is the owner's, before anything is signed that no server would take. */
  static void require(CapsuleReader reader, SigningKey key) {
    if (!reader.metadata().owner().equals(key.verifyKey())) {
      throw Failure.failed(
          "the key "
              + key.verifyKey()
              + " does not own capsule "
              + reader.metadata().name().brief(),
          "Its owner is " + reader.metadata().owner() + ".");
    }
  }
}
