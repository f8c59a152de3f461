package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.KeptCapsule;
import holdfast.client.PrivateFiles;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.edge.EdgeMetadata;
import holdfast.edge.MasterExport;
import holdfast.node.heartbeat.EdgeState;
import holdfast.wire.EdgeReport;
import holdfast.wire.PeerStatus;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast master}: the edges that a server keeps. */
@Command(
    name = "master",
    description = "Shows the edges that a server keeps, and brings out what they hold.",
    footerHeading = "%n",
    footer = {
      "A master is a server like any other: 'holdfast up'. 'holdfast edge place' makes it one. It sees",
      "ciphertext; only 'export' needs a key, and nothing of it is sent to the master."
    })
final class MasterCommand extends GroupCommand {
  MasterCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new MasterCommand(terminal))
        .addSubcommand(new ListEdges(terminal))
        .addSubcommand(new Show(terminal))
        .addSubcommand(new Export(terminal));
  }

  /**
   * An edge as a master knows it.
   *
   * @param name by the metadata of its capsules, which its owner has signed
   * @param capsules oldest first
   * @param master that was asked
   */
  record Edge(String name, List<KeptCapsule> capsules, VerifyKey master) {
    KeptCapsule newest() {
      return capsules.getLast();
    }

    /**
     * The edge's own server: the member that says so, signed by the key that writes the capsule; or
     * else the only one that says nothing, since masters do. Null when that leaves several.
     */
    @Nullable PeerStatus server() {
      List<PeerStatus> members =
          newest().status().getPeersList().stream().filter(PeerStatus::getMember).toList();
      for (PeerStatus member : members) {
        if (genuine(member)) {
          return member;
        }
      }
      List<PeerStatus> silent = members.stream().filter(member -> !member.hasSaid()).toList();
      return silent.size() == 1 ? silent.getFirst() : null;
    }

    /** Whether a member has said what only the edge can sign. Any master could say it. */
    private boolean genuine(PeerStatus member) {
      EdgeReport report = member.getSaid().getEdge();
      try {
        VerifyKey identity = VerifyKey.ed25519(member.getIdentity().toByteArray());
        return member.getSaid().hasEdge()
            && capsules.stream()
                .anyMatch(one -> EdgeState.verifies(report, one.metadata(), identity, master));
      } catch (ProofException e) {
        return false;
      }
    }

    long records() {
      return capsules.stream().mapToLong(one -> one.status().getProven()).sum();
    }

    String state() {
      PeerStatus server = server();
      return server == null || !server.hasSaid()
          ? (server != null && server.getLost() ? "lost" : "unheard")
          : server.getLost() ? "lost" : "up";
    }

    Json json() {
      PeerStatus server = server();
      Json json =
          Json.object()
              .put("edge", name)
              .put("state", state())
              .put("capsule", newest().name())
              .put("capsules", capsules.stream().map(KeptCapsule::name).toList())
              .put("records", records())
              .put("silentMillis", server == null ? null : server.getSilentMillis());
      EdgeReport said = said();
      return json.put("edgeRecords", said == null ? null : said.getRecords())
          .put("backlogRecords", said == null ? null : said.getBacklogRecords())
          .put("backlogBytes", said == null ? null : said.getBacklogBytes())
          .put("oldestMillis", said == null ? null : said.getOldestMillis())
          .put("saidMillis", said == null ? null : said.getTimeMillis());
    }

    @Nullable EdgeReport said() {
      PeerStatus server = server();
      return server != null && genuine(server) ? server.getSaid().getEdge() : null;
    }

    String line() {
      EdgeReport said = said();
      PeerStatus server = server();
      return String.format(
          Locale.ROOT,
          "%-20s %-8s %s %9d records%s%s",
          Terminal.clean(name),
          state(),
          newest().name().brief(),
          records(),
          server == null ? "" : ", heard of " + server.getSilentMillis() / 1000 + " s ago",
          said == null || said.getBacklogRecords() == 0
              ? ""
              : ", "
                  + said.getBacklogRecords()
                  + " waiting, the oldest for "
                  + said.getOldestMillis() / 1000
                  + " s");
    }
  }

  /** What asks a master for its edges. */
  abstract static class OnMaster extends ServerCommand {
    OnMaster(Terminal terminal) {
      super(terminal);
    }

    /** The edges of a master, by name; two of one name stay apart by their capsules. */
    final List<Edge> edges(Server master) throws ProofException {
      Map<Hash, KeptCapsule> kept = new TreeMap<>();
      master.kept(one -> {
        if (EdgeMetadata.edge(one.metadata()).isPresent()) {
          kept.put(one.name(), one);
        }
      });
      List<Edge> edges = new ArrayList<>();
      for (KeptCapsule one : kept.values()) {
        Statement.Succession closing = one.succession();
        if (closing == null || !kept.containsKey(closing.successor())) {
          edges.add(
              new Edge(
                  EdgeMetadata.edge(one.metadata()).orElseThrow(),
                  chain(kept, one),
                  master.identity()));
        }
      }
      edges.sort(Comparator.comparing(Edge::name).thenComparing(edge -> edge.newest().name()));
      return edges;
    }

    private static List<KeptCapsule> chain(Map<Hash, KeptCapsule> kept, KeptCapsule newest) {
      List<KeptCapsule> chain = new ArrayList<>(List.of(newest));
      for (KeptCapsule one = newest; one != null; ) {
        Hash before = EdgeMetadata.predecessor(one.metadata()).orElse(null);
        one = before == null ? null : kept.get(before);
        if (one != null
            && one.metadata().owner().equals(newest.metadata().owner())
            && !chain.contains(one)) {
          chain.addFirst(one);
        } else {
          one = null;
        }
      }
      return chain;
    }

    /** The edge of a name, or with a capsule whose name begins so. */
    final Edge edge(Server master, String selector) throws ProofException {
      List<Edge> found =
          edges(master).stream()
              .filter(edge ->
                  edge.name().equals(selector)
                      || (selector.matches("[0-9a-f]{6,64}")
                          && edge.capsules().stream()
                              .anyMatch(one -> one.name().toString().startsWith(selector))))
              .toList();
      if (found.size() != 1) {
        throw Failure.failed(
            found.isEmpty()
                ? "the server at " + master.endpoint() + " keeps no edge '" + selector + "'"
                : found.size() + " edges are called '" + selector + "'",
            found.isEmpty()
                ? "'holdfast master list' shows those it keeps."
                : "Name one by the beginning of its capsule's name.");
      }
      return found.getFirst();
    }
  }

  /** Lists edges. */
  @Command(
      name = "list",
      description = "Lists the edges that a server keeps: up or lost, and what waits at each.",
      footerHeading = "%n",
      footer = {
        "Names and capsules are the operator's signed word; what waits at an edge is the edge's, signed for",
        "this master. Whether it is up, and that nothing newer was said, is what the master says.",
        "",
        "Example:",
        "  holdfast master list --server one.example:7420",
        "",
        "JSON: edge, state, capsule, capsules, records (here), silentMillis, edgeRecords,",
        "backlogRecords, backlogBytes, oldestMillis (as the edge said last; null if it said nothing),",
        "saidMillis (when that was, by the edge's clock)"
      })
  static final class ListEdges extends OnMaster {
    ListEdges(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      try (Server master = connect()) {
        for (Edge edge : edges(master)) {
          print(edge.json(), edge.line());
        }
      }
      return 0;
    }
  }

  /** Shows an edge. */
  @Command(
      name = "show",
      description = "Shows an edge that a server keeps.",
      footerHeading = "%n",
      footer = {
        "Example:",
        "  holdfast master show kitchen --server one.example:7420",
        "",
        "JSON: as list, and owner, members (server, identity, lost, silentMillis)"
      })
  static final class Show extends OnMaster {
    @Parameters(paramLabel = "EDGE", description = "Its name, or the beginning of its capsule's.")
    String edge = "";

    Show(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      try (Server master = connect()) {
        Edge found = edge(master, edge);
        Statement.Placement placement = found.newest().placement();
        List<Json> members = new ArrayList<>();
        List<String> lines = new ArrayList<>(List.of(found.line()));
        lines.add("  owner " + found.newest().metadata().owner());
        found.capsules().forEach(one -> lines.add("  capsule " + one.name()));
        for (Statement.Placement.Member member :
            placement == null ? List.<Statement.Placement.Member>of() : placement.members()) {
          PeerStatus peer = peer(found, member);
          members.add(
              Json.object()
                  .put("server", member.address())
                  .put("identity", member.identity())
                  .put("lost", peer == null ? null : peer.getLost())
                  .put("silentMillis", peer == null ? null : peer.getSilentMillis()));
          lines.add(
              "  member "
                  + Terminal.clean(member.address())
                  + " "
                  + member.identity()
                  + (peer == null ? ", this one" : peer.getLost() ? ", lost" : ""));
        }
        print(
            found.json().put("owner", found.newest().metadata().owner()).put("members", members),
            String.join("\n", lines));
      }
      return 0;
    }

    private static @Nullable PeerStatus peer(Edge edge, Statement.Placement.Member member) {
      byte[] identity = member.identity().bytes().toArray();
      return edge.newest().status().getPeersList().stream()
          .filter(one -> java.util.Arrays.equals(one.getIdentity().toByteArray(), identity))
          .findFirst()
          .orElse(null);
    }
  }

  /** Exports an edge. */
  @Command(
      name = "export",
      description = "Writes the keys and values of an edge as JSON, verified, from a master.",
      footerHeading = "%n",
      footer = {
        "A value that is UTF-8 stands in \"value\", another in \"base64\".",
        "",
        "Example:",
        "  holdfast master export kitchen --server one.example:7420 --recovery-key operator.pem -o k.json",
        "",
        "JSON, with -o: edge, capsule, capsules, changes, keys, file"
      })
  static final class Export extends OnMaster {
    @Parameters(paramLabel = "EDGE", description = "Its name, or the beginning of its capsule's.")
    String edge = "";

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        defaultValue = "json",
        description = "json, which is the default and the only one.")
    String format = "json";

    @Option(
        names = "--recovery-key",
        paramLabel = "FILE",
        required = true,
        description = "The operator's key, or another to which the content was granted.")
    String key = "";

    @Option(
        names = {"-o", "--output"},
        paramLabel = "FILE",
        description = "Write to a file, which must not exist, that only you can read.")
    @Nullable Path output;

    Export(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      if (!format.equals("json")) {
        throw Failure.usage("'" + format + "' is no format", "Use --format json.");
      }
      SigningKey recovery = terminal.home().key(key);
      Path work = Files.createTempDirectory("holdfast-export");
      try (Server master = connect()) {
        Edge found = edge(master, edge);
        Path file = output;
        if (file == null) {
          // The document is the result; nothing else may stand beside it.
          export(master, found, recovery, work, writer(terminal.out));
          return 0;
        }
        Path draft = file.resolveSibling(file.getFileName() + ".new");
        PrivateFiles.create(draft, "");
        MasterExport.Exported exported;
        try (Writer out = Files.newBufferedWriter(draft)) {
          exported = export(master, found, recovery, work, out);
        } catch (ProofException | RuntimeException | IOException e) {
          Files.deleteIfExists(draft);
          throw e;
        }
        // A link, unlike a move, fails when the name is taken.
        Files.createLink(file, draft);
        Files.delete(draft);
        print(
            Json.object()
                .put("edge", found.name())
                .put("capsule", found.newest().name())
                .put("capsules", exported.capsules())
                .put("changes", exported.changes())
                .put("keys", exported.keys())
                .put("file", file),
            file + ": " + count(exported.keys(), "key") + " of edge " + found.name());
        return 0;
      } finally {
        Files.deleteIfExists(work);
      }
    }

    private static Writer writer(java.io.OutputStream out) {
      return new BufferedWriter(new OutputStreamWriter(out, StandardCharsets.UTF_8));
    }

    private static MasterExport.Exported export(
        Server master, Edge found, SigningKey recovery, Path work, Writer out)
        throws ProofException, IOException {
      return MasterExport.json(
          master, found.name(), found.newest().name(), recovery, work.resolve("view"), out);
    }
  }
}
