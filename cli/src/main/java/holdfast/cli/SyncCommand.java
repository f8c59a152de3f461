package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.client.CapsuleReader;
import holdfast.crypto.VerifyKey;
import holdfast.wire.CapsuleStatus;
import holdfast.wire.Lie;
import holdfast.wire.PeerStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows how servers that keep the same capsule are brought together. */
@Command(
    name = "sync",
    description = "Shows how the servers that keep a capsule are brought together.")
final class SyncCommand extends GroupCommand {
  SyncCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new SyncCommand(terminal)).addSubcommand(new Of(terminal));
  }

  /** What is kept of peers that lied, for JSON. */
  static List<Json> lies(List<Lie> lies) throws ProofException {
    List<Json> objects = new ArrayList<>();
    for (Lie lie : lies) {
      objects.add(
          Json.object()
              .put("time", time(lie.getMillis()))
              .put("capsule", Hash.of(lie.getCapsule().toByteArray()))
              .put("peer", VerifyKey.ed25519(lie.getPeer().toByteArray()))
              .put("what", lie.getWhat()));
    }
    return objects;
  }

  /** When a peer lied, and how. */
  static String told(Lie lie) {
    return time(lie.getMillis()) + ": " + Terminal.clean(lie.getWhat());
  }

  /** Per peer: when the last round was complete, and what is under way. */
  @Command(
      name = "status",
      description = "Says of each other server that keeps the capsule how far it is.",
      footerHeading = "%n",
      footer = {
        "The server asked meets the others now and then, and soon after something new has come to it. It",
        "says of each when a round was last complete, what the peer is not known to hold, and of a round",
        "under way what is left, at what rate it goes, and when it should end. null is what is not known.",
        "",
        "Example:",
        "  holdfast sync status 3f2a --node 2",
        "",
        "JSON, a line for each peer: capsule, server, peer, address, meeting, lastFull, recordsLeft,",
        "bytesLeft, recordsToReceive, recordsSent, recordsReceived, bytesSent, bytesReceived,",
        "recordsPerSecond, receivedPerSecond, secondsLeft, trouble,",
        "liar, lies (time, capsule, peer, what)"
      })
  static final class Of extends ServerCommand {
    @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
    String capsule = "";

    Of(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      try (Target target = open(capsule);
          CapsuleReader reader = target.reader()) {
        CapsuleStatus status = reader.status().getCapsule();
        List<PeerStatus> peers = new ArrayList<>(status.getPeersList());
        peers.sort((a, b) -> a.getAddress().compareTo(b.getAddress()));
        for (PeerStatus peer : peers) {
          SyncOutlook left = SyncOutlook.of(peer, target.capsule(), status.getRecords());
          print(json(target, peer, left), text(peer, left));
        }
        if (peers.isEmpty()) {
          terminal.note(
              "This server keeps the capsule with no other; 'holdfast place' says who is to.");
        }
      }
      return 0;
    }

    private static double orNothing(@Nullable Double rate) {
      return rate == null ? 0 : rate;
    }

    private static @Nullable Long rounded(@Nullable Double rate) {
      return rate == null ? null : Long.valueOf(Math.round(rate));
    }

    private static Json json(Target target, PeerStatus peer, SyncOutlook left) throws Exception {
      return Json.object()
          .put("capsule", target.capsule())
          .put("server", target.server().endpoint())
          .put("peer", VerifyKey.ed25519(peer.getIdentity().toByteArray()))
          .put("address", peer.getAddress())
          .put("meeting", peer.getMeeting())
          .put("lastFull", peer.getLastFullMillis() == 0 ? null : time(peer.getLastFullMillis()))
          .put("recordsLeft", left.records())
          .put("bytesLeft", left.bytes())
          .put("recordsToReceive", left.recordsToReceive())
          .put("recordsSent", peer.getRecordsSent())
          .put("recordsReceived", peer.getRecordsReceived())
          .put("bytesSent", peer.getBytesSent())
          .put("bytesReceived", peer.getBytesReceived())
          .put("recordsPerSecond", rounded(left.sentPerSecond()))
          .put("receivedPerSecond", rounded(left.receivedPerSecond()))
          .put("secondsLeft", left.secondsLeft())
          .put("trouble", peer.getTrouble().isEmpty() ? null : peer.getTrouble())
          .put("liar", peer.getLiar())
          .put("lies", lies(peer.getLiesList()));
    }

    private static String text(PeerStatus peer, SyncOutlook left) throws Exception {
      StringBuilder line = new StringBuilder(peer.getAddress());
      line.append("  ").append(VerifyKey.ed25519(peer.getIdentity().toByteArray())).append("\n  ");
      line.append(
          peer.getLastFullMillis() == 0
              ? "no complete round since the server started"
              : "last complete round at " + time(peer.getLastFullMillis()));
      if (peer.getMeeting()) {
        line.append(
            String.format(
                Locale.ROOT,
                "; one is under way: %,d sent, %,.0f/s, %,d received, %,.0f/s",
                peer.getRecordsSent(),
                orNothing(left.sentPerSecond()),
                peer.getRecordsReceived(),
                orNothing(left.receivedPerSecond())));
      }
      line.append(
          String.format(
              Locale.ROOT,
              "\n  left to send: %,d records, %,d bytes",
              left.records(),
              left.bytes()));
      Long receive = left.recordsToReceive();
      if (receive != null && receive > 0) {
        line.append(String.format(Locale.ROOT, "; to receive: %,d records", receive));
      }
      Long seconds = left.secondsLeft();
      if (peer.getMeeting()) {
        line.append(
            seconds == null
                ? "; when that ends is not known yet"
                : String.format(Locale.ROOT, "; should end in %,d s", seconds));
      }
      if (!peer.getTrouble().isEmpty()) {
        line.append(
            peer.getLiar() ? "\n  avoided, since it lied: " : "\n  the last round failed: ");
        line.append(Terminal.clean(peer.getTrouble()));
      }
      peer.getLiesList().forEach(lie -> line.append("\n  lied at ").append(told(lie)));
      return line.toString();
    }
  }
}
