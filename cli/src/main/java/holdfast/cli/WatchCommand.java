package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Voucher;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReplicatedWatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Follows a capsule. */
@Command(
    name = "watch",
    description = "Prints records as they arrive and are proven, until it is stopped.",
    footerHeading = "%n",
    footer = {
      "Each is printed once a signature proves it. A lost connection is made again; of a capsule that is",
      "placed on several servers the next one is followed then.",
      "",
      "Examples:",
      "  holdfast watch 3f2a",
      "  holdfast watch 3f2a --from 0 -n 10 --json",
      "",
      "JSON, a line each: record, time, writer, label, leaves, bytes, authored, erased"
    })
final class WatchCommand extends ServerCommand {
  private static final long POLL_MILLIS = 1000;
  private static final int ATTEMPTS = 30;

  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--from",
      paramLabel = "N",
      description = "Begin with the N-th record that arrived at the server. Default: what is new.")
  @Nullable Long from;

  @Option(
      names = {"-n", "--limit"},
      paramLabel = "N",
      description = "Stop after this many records.")
  @Nullable Long limit;

  private long printed;

  WatchCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        Source source = source(target)) {
      Metadata metadata = source.ask(CapsuleReader::metadata);
      try (ReplicatedWatch watch =
          from == null ? source.reader().watch() : source.reader().watch(from)) {
        follow(metadata, watch);
      }
    }
    return 0;
  }

  private void follow(Metadata metadata, ReplicatedWatch watch)
      throws ProofException, InterruptedException {
    int failures = 0;
    while (!done()) {
      try {
        for (ReadResult result : watch.poll(POLL_MILLIS)) {
          print(metadata, result);
        }
        failures = 0;
      } catch (HoldfastException e) {
        if (!passes(e.code()) || ++failures == ATTEMPTS || done()) {
          throw e;
        }
        terminal.note("the connection was lost; trying again");
        Thread.sleep(POLL_MILLIS);
      }
    }
  }

  private static boolean passes(ErrorCode code) {
    return code == ErrorCode.UNREACHABLE || code == ErrorCode.STOPPING;
  }

  private boolean done() {
    return (limit != null && printed >= limit) || Thread.currentThread().isInterrupted();
  }

  private void print(Metadata metadata, ReadResult result) throws ProofException {
    if (done()) {
      return;
    }
    switch (result) {
      case ReadResult.Proven proven -> print(metadata, proven.record(), proven.voucher());
      case ReadResult.Erased erased -> print(metadata, erased.record(), null);
      case ReadResult.Damaged damaged ->
          terminal.note("damaged on the server and not served: " + damaged.name());
      case ReadResult.Unproven unproven -> {}
      case ReadResult.Absent absent -> {}
      case ReadResult.Outside outside ->
          terminal.note("outside of what the owner closed the capsule with: " + outside.name());
      case ReadResult.Cached cached -> {}
    }
  }

  private void print(Metadata metadata, Record record, @Nullable Voucher voucher)
      throws ProofException {
    printed++;
    RecordHeader header = record.header();
    long size = header.sealedSize() - 16L * header.leafCount();
    String label = LogCommand.label(metadata, header.writer());
    print(
        Json.object()
            .put("record", header.name())
            .put("time", time(header.timeMillis()))
            .put("writer", metadata.writerKey(header.writer()))
            .put("label", label)
            .put("leaves", header.leafCount())
            .put("bytes", size)
            .put("authored", voucher != null && voucher.authored())
            .put("erased", record.state() != Record.State.WHOLE),
        header.name()
            + "  "
            + time(header.timeMillis())
            + "  "
            + Terminal.clean(label)
            + "  "
            + count(header.leafCount(), "leaf", "leaves")
            + "  "
            + bytes(size)
            + (record.state() == Record.State.WHOLE ? "" : "  erased"));
  }
}
