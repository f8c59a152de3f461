package holdfast.cli;

import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Home;
import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import holdfast.wire.CapsuleStatus;
import holdfast.wire.Lie;
import holdfast.wire.OwnerBytes;
import holdfast.wire.ServerStatus;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Says how a server or a capsule is. */
@Command(
    name = "status",
    description = "Says how the server is, or one capsule on it.",
    footerHeading = "%n",
    footer = {
      "What a server says of itself is not proven; names, keys and statements of a capsule are. A capsule",
      "that is placed on several servers is shown as the first that answers holds it.",
      "",
      "Examples:",
      "  holdfast status",
      "  holdfast status 3f2a",
      "",
      "JSON: server, identity, version, crypto, startedAt, sessions, capsules, dataBytes, freeBytes,",
      "writable, ownerBytesLimit (null for none), owners (that have most: owner, bytes), damaged",
      "(records), scrubbedAt (null before everything was looked at once),",
      "lies (of other servers: time, capsule, peer, what); of a",
      "capsule: server, capsule, owner, writers, description, created, records, proven, holes, damaged,",
      "bytes, ownerBytes, ownerBytesLimit,",
      "closed, successor, erasures, grants, epochs (of the content keys kept here), placement: version,",
      "time, members (server, identity)"
    })
final class StatusCommand extends ServerCommand {
  @Parameters(arity = "0..1", paramLabel = "CAPSULE", description = "A capsule.")
  @Nullable String capsule;

  StatusCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    if (capsule == null) {
      ofServer();
    } else {
      ofCapsule(capsule);
    }
    return 0;
  }

  private void ofServer() throws Exception {
    try (Server target = connect()) {
      ServerStatus status = target.status();
      print(
          Json.object()
              .put("server", target.endpoint())
              .put("identity", target.identity())
              .put("version", status.getVersion())
              .put("crypto", status.getCrypto())
              .put("startedAt", time(status.getStartedMillis()))
              .put("sessions", status.getSessions())
              .put("capsules", status.getCapsules())
              .put("dataBytes", status.getDataBytes())
              .put("freeBytes", status.getDiskFreeBytes())
              .put("writable", status.getWritable())
              .put("damaged", status.getDamaged())
              .put(
                  "scrubbedAt",
                  status.getScrubbedMillis() == 0 ? null : time(status.getScrubbedMillis()))
              .put("ownerBytesLimit", limit(status))
              .put("owners", ownersJson(status))
              .put("lies", SyncCommand.lies(status.getLiesList())),
          "Server    "
              + target.endpoint()
              + ", version "
              + status.getVersion()
              + ", up since "
              + time(status.getStartedMillis())
              + "\nIdentity  "
              + target.identity()
              + "\nCapsules  "
              + status.getCapsules()
              + "\nSessions  "
              + status.getSessions()
              + "\nData      "
              + bytes(status.getDataBytes())
              + ", "
              + bytes(status.getDiskFreeBytes())
              + " free"
              + "\nDamaged   "
              + count(status.getDamaged(), "record")
              + ", "
              + (status.getScrubbedMillis() == 0
                  ? "not everything looked at yet"
                  : "everything looked at by " + time(status.getScrubbedMillis()))
              + (status.getWritable() ? "" : "\nWrites are refused")
              + owners(status)
              + lies(status));
    }
  }

  private static @Nullable Long limit(ServerStatus status) {
    return status.getOwnerBytesLimit() == 0 ? null : status.getOwnerBytesLimit();
  }

  private static List<Json> ownersJson(ServerStatus status) throws ProofException {
    List<Json> owners = new ArrayList<>();
    for (OwnerBytes one : status.getOwnersList()) {
      owners.add(
          Json.object()
              .put("owner", VerifyKey.ed25519(one.getOwner().toByteArray()))
              .put("bytes", one.getBytes()));
    }
    return owners;
  }

  private static String owners(ServerStatus status) throws ProofException {
    StringBuilder text = new StringBuilder();
    for (OwnerBytes one : status.getOwnersList()) {
      text.append("\nOwner     ")
          .append(VerifyKey.ed25519(one.getOwner().toByteArray()))
          .append(": ")
          .append(bytes(one.getBytes()))
          .append(limit(status) == null ? "" : " of " + bytes(status.getOwnerBytesLimit()));
    }
    return text.toString();
  }

  private static String lies(ServerStatus status) throws ProofException {
    StringBuilder text = new StringBuilder();
    for (Lie lie : status.getLiesList()) {
      text.append("\nLied      ")
          .append(VerifyKey.ed25519(lie.getPeer().toByteArray()))
          .append(" at ")
          .append(SyncCommand.told(lie));
    }
    return text.toString();
  }

  private static Json json(Statement.Placement placement) {
    return Json.object()
        .put("version", placement.version())
        .put("time", time(placement.timeMillis()))
        .put(
            "members",
            placement.members().stream()
                .map(m -> Json.object().put("server", m.address()).put("identity", m.identity()))
                .toList());
  }

  /** What one server shows of a capsule. */
  private record Seen(
      Server server,
      CapsuleStatus status,
      @Nullable Long limit,
      Metadata metadata,
      List<Statement> statements) {
    static Seen by(CapsuleReader reader) throws ProofException {
      ServerStatus status = reader.status();
      return new Seen(
          reader.server(),
          status.getCapsule(),
          StatusCommand.limit(status),
          reader.metadata(),
          reader.statements(true));
    }
  }

  private void ofCapsule(String prefix) throws Exception {
    try (Target target = open(prefix);
        Source source = source(target)) {
      Seen seen = source.ask(Seen::by);
      CapsuleStatus status = seen.status();
      Metadata metadata = seen.metadata();
      int erasures = 0;
      int grants = 0;
      String successor = null;
      List<Statement> statements = seen.statements();
      for (Statement statement : statements) {
        switch (statement) {
          case Statement.Erasure erasure -> erasures++;
          case Statement.Grant grant -> grants++;
          case Statement.Succession closing -> successor = closing.successor().toString();
          case Statement.Placement placed -> {}
          case Release release -> {}
          case Statement.WriterSignature signature -> {}
        }
      }
      Statement.Placement placement = Statement.Placement.current(statements);
      Home home = target.home();
      List<Integer> epochs =
          home.contentKeys(target.capsule()).stream().map(ContentKey::epoch).toList();
      if (json) {
        terminal.line(
            Json.object()
                .put("server", seen.server().endpoint())
                .put("capsule", target.capsule())
                .put("owner", metadata.owner())
                .put("writers", metadata.writers().stream().map(w -> w.key().toString()).toList())
                .put("description", metadata.description())
                .put("created", time(metadata.createdMillis()))
                .put("records", status.getRecords())
                .put("proven", status.getProven())
                .put("holes", status.getHoles())
                .put("damaged", status.getDamaged())
                .put("bytes", status.getBytes())
                .put("ownerBytes", status.getOwnerBytes())
                .put("ownerBytesLimit", seen.limit())
                .put("closed", successor != null)
                .put("successor", successor)
                .put("erasures", erasures)
                .put("grants", grants)
                .put("epochs", epochs)
                .put("placement", placement == null ? null : json(placement))
                .toString());
        return;
      }
      List<String> lines = new ArrayList<>();
      lines.add("Capsule   " + target.capsule());
      if (!metadata.description().isEmpty()) {
        lines.add("          " + Terminal.clean(metadata.description()));
      }
      lines.add("Created   " + time(metadata.createdMillis()));
      lines.add("Owner     " + metadata.owner());
      for (Metadata.Writer writer : metadata.writers()) {
        lines.add("Writer    " + writer.key() + " " + Terminal.clean(writer.label()));
      }
      lines.add(
          "Records   "
              + status.getRecords()
              + ", "
              + status.getProven()
              + " proven, "
              + status.getHoles()
              + " missing"
              + (status.getDamaged() == 0 ? "" : ", " + status.getDamaged() + " damaged"));
      Long limit = seen.limit();
      lines.add(
          "Takes     "
              + bytes(status.getBytes())
              + ", with its owner's other capsules there "
              + bytes(status.getOwnerBytes())
              + (limit == null ? "" : " of " + bytes(limit)));
      lines.add("Stated    " + erasures + " erasures, " + grants + " grants");
      lines.add("Server    " + seen.server().endpoint() + " " + seen.server().identity());
      lines.add("Keys here " + (epochs.isEmpty() ? "none" : "epochs " + epochs));
      if (placement != null) {
        lines.add("Placed    version " + placement.version() + ", " + time(placement.timeMillis()));
        for (Statement.Placement.Member member : placement.members()) {
          lines.add("          " + member.address() + " " + member.identity());
        }
      }
      if (successor != null) {
        lines.add("Closed    continues in capsule " + successor);
      }
      lines.forEach(line -> terminal.line(line.stripTrailing()));
    }
  }
}
