package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Opener;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.Voucher;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Reads content. */
@Command(
    name = "read",
    description = "Reads records or leaves, proves them, opens them, and writes their bytes.",
    footerHeading = "%n",
    footer = {
      "A leaf, and a record of one leaf, come byte for byte; the leaves of a record of several come",
      "as lines. A content key that is not kept here is looked for among the owner's grants to keys in",
      "HOLDFAST_HOME/keys and to --key, and then kept.",
      "",
      "Examples:",
      "  holdfast read 3f2a 81bc > report.pdf",
      "  holdfast read 3f2a 81bc/17 --key me.pem",
      "",
      "JSON, a line for each leaf: record, leaf, time, writer, authored, base64, text (null if not",
      "UTF-8)"
    })
final class ReadCommand extends ServerCommand {
  private static final long BYTES_AT_ONCE = 8 << 20;

  @Parameters(index = "0", paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "RECORD[/LEAF]",
      description = "What to read; leaves count from 0.")
  List<String> wanted = new ArrayList<>();

  @Option(names = "--key", paramLabel = "FILE", description = "A key to which content was granted.")
  @Nullable String key;

  ReadCommand(Terminal terminal) {
    super(terminal);
  }

  private @Nullable Metadata metadata;

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        Source source = source(target)) {
      Opener opener =
          new Opener(
              target.capsule(),
              source.ask(
                  reader -> contentKeys(target.home(), reader, keyIfNamed(target.home(), key))));
      metadata = source.ask(CapsuleReader::metadata);
      for (String one : wanted) {
        read(source, opener, source.ask(reader -> reference(reader, one)));
      }
      terminal.out.flush();
      noteIfClosed(source);
    }
    return 0;
  }

  private void read(Source source, Opener opener, Reference reference) throws ProofException {
    RecordHeader header = header(source, reference.record());
    int first = reference.hasLeaf() ? reference.leaf() : 0;
    int end = reference.hasLeaf() ? first + 1 : header.leafCount();
    long average = Math.max(1, header.sealedSize() / header.leafCount());
    int step = Math.clamp(BYTES_AT_ONCE / average, 1, 4096);
    for (int at = first; at < end; ) {
      List<ReadResult.LeafName> names = new ArrayList<>();
      for (int leaf = at; leaf < Math.min(end, at + step); leaf++) {
        names.add(new ReadResult.LeafName(reference.record(), leaf));
      }
      List<ReadResult.LeafResult> leaves;
      try {
        leaves = source.reader().readLeaves(names);
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.TOO_LARGE || step == 1) {
          throw e;
        }
        // Leaves of unequal size: fewer at once.
        step /= 2;
        continue;
      }
      at += names.size();
      for (ReadResult.LeafResult result : leaves) {
        switch (result) {
          case ReadResult.LeafResult.Proven proven -> write(opener, proven, reference);
          case ReadResult.LeafResult.Missing missing ->
              throw source.ask(reader -> why(reader, header, missing));
        }
      }
    }
  }

  private static RecordHeader header(Source source, Hash name) throws ProofException {
    return switch (source.reader().readHeaders(List.of(name)).getFirst()) {
      case ReadResult.Proven proven -> proven.record().header();
      case ReadResult.Erased erased -> erased.record().header();
      case ReadResult.Unproven unproven ->
          throw new HoldfastException(
              ErrorCode.UNPROVEN,
              "record " + name.brief() + " is stored, and no signature leads to it yet");
      case ReadResult.Damaged damaged ->
          throw new HoldfastException(
              ErrorCode.DAMAGED,
              "record " + name.brief() + " is damaged on the server, which does not serve it");
      case ReadResult.Outside outside -> throw source.ask(reader -> outside(reader, name));
      case ReadResult.Absent absent -> throw absent(name);
      case ReadResult.Cached cached -> throw absent(name);
    };
  }

  private static HoldfastException outside(CapsuleReader reader, Hash name) throws ProofException {
    return new HoldfastException(
        ErrorCode.SUCCEEDED,
        "record "
            + name.brief()
            + " lies outside of what the owner closed the capsule with; it continues in capsule "
            + successor(reader));
  }

  private static HoldfastException absent(Hash name) {
    return new HoldfastException(
        ErrorCode.NOT_FOUND, "record " + name.brief() + " is not on this server");
  }

  private void write(Opener opener, ReadResult.LeafResult.Proven leaf, Reference reference)
      throws ProofException {
    RecordHeader header = leaf.header();
    if (!opener.canOpen(header)) {
      throw Failure.failed(
          "record "
              + header.name().brief()
              + " is sealed under key epoch "
              + header.epoch()
              + ", which is not at hand",
          "Ask the owner: holdfast grant CAPSULE --to READER_KEY ('holdfast key show FILE' prints yours).");
    }
    byte[] content = opener.open(header, leaf.name().leaf(), leaf.sealed().toArray());
    if (json) {
      Voucher voucher = leaf.voucher();
      terminal.line(
          Json.object()
              .put("record", header.name())
              .put("leaf", leaf.name().leaf())
              .put("time", time(header.timeMillis()))
              .put("writer", Objects.requireNonNull(metadata).writerKey(header.writer()))
              .put("authored", voucher.authored())
              .put("base64", Base64.getEncoder().encodeToString(content))
              .put("text", text(content))
              .toString());
    } else {
      terminal.out.write(content, 0, content.length);
      if (header.leafCount() > 1 && !reference.hasLeaf()) {
        terminal.out.write('\n');
      }
    }
  }

  /** The text, if the bytes are UTF-8. */
  static @Nullable String text(byte[] content) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }

  private static RuntimeException why(
      CapsuleReader reader, RecordHeader header, ReadResult.LeafResult.Missing missing)
      throws ProofException {
    int leaf = missing.name().leaf();
    String what = "leaf " + leaf + " of record " + header.name().brief();
    return switch (missing.why()) {
      case ABSENT ->
          leaf >= header.leafCount()
              ? Failure.failed(
                  "record " + header.name().brief() + " has no leaf " + leaf,
                  "Its leaves are 0 to " + (header.leafCount() - 1) + ".")
              : new HoldfastException(ErrorCode.NOT_FOUND, what + " is not on this server");
      case UNPROVEN -> new HoldfastException(ErrorCode.UNPROVEN, what + " is not proven yet");
      case DAMAGED ->
          new HoldfastException(
              ErrorCode.DAMAGED, what + " is damaged on the server, which does not serve it");
      case ERASED -> erased(reader, header, leaf);
      case OUTSIDE -> outside(reader, header.name());
    };
  }

  private static Failure erased(CapsuleReader reader, RecordHeader header, int leaf)
      throws ProofException {
    for (Statement.Erasure erasure : LogCommand.erasures(reader)) {
      boolean covers =
          switch (erasure.erased()) {
            case Statement.Erased.OfRecord(Hash record) -> record.equals(header.name());
            case Statement.Erased.OfLeaf(Hash record, int gone) ->
                record.equals(header.name()) && gone == leaf;
            case Statement.Erased.OfTimes times -> times.covers(header.timeMillis());
          };
      if (covers) {
        return Failure.failed(
            "leaf "
                + leaf
                + " of record "
                + header.name().brief()
                + " was erased by "
                + reader.metadata().owner()
                + " on "
                + time(erasure.timeMillis())
                + " ("
                + (erasure.reason().isEmpty() ? "no reason given" : erasure.reason())
                + ")",
            "What it was is gone for good; that it was written can still be proven: holdfast prove");
      }
    }
    // A server that claims an erasure and cannot show it withholds data.
    return new Failure(
        Failure.VIOLATION,
        "the server says that leaf " + leaf + " is erased and shows no statement of the owner",
        "Read it from another server.");
  }
}
