package holdfast.cli;

import holdfast.base.ProofException;
import holdfast.client.CompleteFile;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The option of commands that write a file. */
final class OutputFile {
  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      required = true,
      description = "The file to write.")
  Path path = Path.of("");

  /** Writes the file, which appears when it is complete. */
  void write(byte[] content) throws IOException, ProofException {
    write(path, content);
  }

  /** Writes another file in the same way. */
  static void write(Path path, byte[] content) throws IOException, ProofException {
    CompleteFile.write(path, out -> out.write(content));
  }
}
