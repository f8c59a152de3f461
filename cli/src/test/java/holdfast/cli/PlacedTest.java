package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.testkit.Patience;
import holdfast.testkit.Ports;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A capsule on three servers, from the command line. */
@Timeout(Patience.TEST_SECONDS)
class PlacedTest {
  @TempDir Path folder;
  private final List<Node> servers = new ArrayList<>();
  private final List<String> addresses = new ArrayList<>();
  private Cli cli;
  private String key;
  private String capsule;

  @BeforeEach
  void start() {
    for (int i = 0; i < 3; i++) {
      servers.add(Cli.serve(folder.resolve("data-" + i), Ports.free()));
      addresses.add(servers.getLast().endpoint().toString());
    }
    cli = new Cli(folder.resolve("home"), servers.getFirst());
    key = cli.key("owner");
    capsule = cli.ok("create", "--key", key);
    cli.environment.remove("HOLDFAST_SERVER");
  }

  @AfterEach
  void stop() {
    servers.forEach(Node::close);
  }

  private String on(int... which) {
    List<String> on = new ArrayList<>();
    for (int i : which) {
      on.add(addresses.get(i));
    }
    return String.join(",", on);
  }

  @Test
  void whatIsAppendedIsOnEveryServerAndAnyOneOfThemWillDo() throws Exception {
    cli.ok("place", capsule, "--on", on(0, 1, 2), "--key", key);
    Path receipts = folder.resolve("receipts");
    List<String> lines =
        cli.input(
                "one", "append", capsule, "--key", key, "--json", "--receipts", receipts.toString())
            .failsWith(0)
            .lines();
    Map<?, ?> first = (Map<?, ?>) TestJson.parse(lines.getFirst());
    assertThat((List<?>) first.get("replicas")).hasSizeGreaterThanOrEqualTo(2);
    assertThat(first.get("needed")).isEqualTo(2.0);
    assertThat(first.get("members")).isEqualTo(3.0);
    assertThat(first.get("placement")).isEqualTo(1.0);
    String record = String.valueOf(first.get("record"));
    for (int i = 0; i < 3; i++) {
      // Two have it by now; the third gets it from the writer or from them.
      for (int tries = 0;
          tries < 500
              && cli.run("read", capsule, record, "--server", addresses.get(i)).exitCode() != 0;
          tries++) {}
      assertThat(cli.ok("read", capsule, record, "--server", addresses.get(i))).isEqualTo("one");
    }
    // The receipts that came are kept, and a proof carries them.
    Path proof = folder.resolve("one.proof");
    Map<String, Object> proved =
        cli.json(
            "prove", capsule, record, "--receipt", receipts.toString(), "-o", proof.toString());
    double signed = (Double) Objects.requireNonNull(proved.get("receipts"));
    assertThat(signed).isBetween(2.0, 3.0);
    assertThat(cli.ok("verify", proof.toString()).lines().filter(l -> l.contains("Receipt of")))
        .hasSize((int) signed);
    Map<String, Object> heads = cli.json("heads", capsule, "--quorum", "3");
    assertThat(heads).containsEntry("survives", 1.0).containsEntry("heads", List.of(record));
    assertThat((List<?>) heads.get("answers")).hasSize(3);
    cli.run("heads", capsule, "--quorum", "4").failsWith(2);
    cli.input("x", "append", capsule, "--key", key, "--replicas", "4").failsWith(2);

    servers.getFirst().close();
    String second =
        cli.input("two", "append", capsule, "--key", key, "--replicas", "2").failsWith(0).line();
    assertThat(cli.ok("read", capsule, record, second)).isEqualTo("onetwo");
    assertThat(cli.run("heads", capsule).failsWith(0).err())
        .contains("2 of 3 servers answered", "at most 0 of them lie");
    assertThat(cli.ok("log", capsule).lines()).hasSize(2);
    cli.ok("prove", capsule, second, "-o", folder.resolve("two.proof").toString());
    cli.input("x", "append", capsule, "--key", key, "--replicas", "3").failsWith(1);
    cli.run("heads", capsule, "--quorum", "3").failsWith(1);
  }

  @Test
  void aServerThatLostWhatItSignedForIsShownToHaveLostIt() throws Exception {
    cli.ok("place", capsule, "--on", on(0, 1, 2), "--key", key);
    Path receipts = folder.resolve("receipts");
    cli.input(
            "one",
            "append",
            capsule,
            "--key",
            key,
            "--replicas",
            "3",
            "--receipts",
            receipts.toString())
        .failsWith(0);
    Path file = folder.resolve("lost.evidence");
    String[] audit = {"audit", capsule, "--receipt", receipts.toString(), "-o", file.toString()};
    assertThat(cli.ok(audit)).isEqualTo("3 receipts asked about: 3 kept, 0 LOST");
    servers.getFirst().close();
    assertThat(cli.run(audit).failsWith(1).out())
        .startsWith("2 receipts asked about: 2 kept, 0 LOST\nunasked: " + addresses.get(0));
    assertThat(file).doesNotExist();
    // The disk of one server is replaced; its identity survives. The capsule is created there anew,
    // and the others, which would repair it, are gone.
    Node broken = servers.get(1);
    Endpoint same = broken.endpoint();
    Metadata metadata;
    byte[] creation;
    try (Server there = Server.at(same, broken.identity());
        CapsuleReader reader =
            there.openReader(Hash.parse(capsule), List.of(), ReaderOptions.withoutCache())) {
      metadata = reader.metadata();
      creation = reader.ownerSignature();
    }
    servers.forEach(Node::close);
    Path data = folder.resolve("new-disk");
    Files.createDirectories(data);
    Files.copy(folder.resolve("data-1/identity.pem"), data.resolve("identity.pem"));
    servers.set(1, Cli.serve(data, same.port()));
    try (Server there = Server.at(same, broken.identity())) {
      there.create(metadata, creation);
    }
    // The two others are down; they are named, and what was found is written all the same.
    Cli.Ran some = cli.run(audit).failsWith(3);
    assertThat(some.out())
        .contains("1 receipt asked about: 0 kept, 1 LOST", "evidence against ed25519:")
        .contains("unasked: " + addresses.get(0) + " about 1 receipt: ")
        .contains("unasked: " + addresses.get(2) + " about 1 receipt: ");
    assertThat(file).exists();
    Files.delete(file);
    List<String> there = new ArrayList<>(List.of(audit));
    there.addAll(List.of("--server", addresses.get(1)));
    assertThat(cli.run(there.toArray(String[]::new)).failsWith(3).out())
        .contains("1 receipt asked about: 0 kept, 1 LOST", "evidence against ed25519:");
    assertThat(cli.run("verify", file.toString(), "--capsule", capsule).failsWith(3).out())
        .contains("Verified evidence against server", "it has lost the record, or lies")
        .contains(capsule);
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
    assertThat(cli.run("verify", file.toString()).failsWith(3).err())
        .contains("integrity violation (NOT_FRESH)");
  }

  @Test
  void oneServerIsNoReplication() {
    assertThat(
            cli.input("x", "append", capsule, "--key", key, "--replicas", "2").failsWith(2).err())
        .contains("holdfast place");
    assertThat(cli.json("heads", capsule)).containsEntry("survives", 0.0);
  }

  @Test
  void placeTellsEveryServerAndStatusShowsIt() {
    Map<String, Object> first = cli.json("place", capsule, "--on", on(0, 1, 2), "--key", key);
    assertThat(first).containsEntry("version", 1.0).containsEntry("complete", true);
    assertThat((List<?>) first.get("servers")).hasSize(3);
    assertThat(cli.ok("place", capsule, "--on", on(1, 2), "--key", key))
        .contains("version 2", "acknowledged", "no member any more");
    for (int i = 0; i < 3; i++) {
      String server = addresses.get(i);
      assertThat(cli.ok("status", capsule, "--server", server))
          .contains("Placed    version 2", on(1), on(2));
      Map<?, ?> placement =
          (Map<?, ?>) cli.json("status", capsule, "--server", server).get("placement");
      assertThat(placement.get("version")).isEqualTo(2.0);
      assertThat((List<?>) placement.get("members")).hasSize(2);
    }
    cli.run("place", capsule, "--on", on(1, 1), "--key", key).failsWith(2);
    String stranger = cli.key("stranger");
    assertThat(cli.run("place", capsule, "--on", on(1), "--key", stranger).failsWith(1).err())
        .contains("does not own");
    servers.get(2).close();
    cli.run("place", capsule, "--on", on(1, 2), "--key", key).failsWith(1);
    assertThat(cli.ok("place", capsule, "--on", on(0, 1), "--key", key))
        .contains("NOT acknowledged: cannot reach");
  }

  /** One after the other to all: once servers know a placement they tell each other. */
  private void declare(List<Statement> statements) throws Exception {
    for (Statement statement : statements) {
      for (Node one : servers) {
        try (Server server = Server.at(one.endpoint(), one.identity())) {
          server.declare(statement);
        }
      }
    }
  }

  private Statement.Placement second(SigningKey owner, int... on) {
    return Statement.Placement.sign(
        Hash.parse(capsule),
        1,
        2,
        IntStream.of(on)
            .mapToObj(servers::get)
            .map(one -> new Statement.Placement.Member(one.identity(), one.endpoint().toString()))
            .toList(),
        owner);
  }

  /** Two operators at once; a release names a version, and so would end neither of the two. */
  @Test
  void ofTwoPlacementsOfOneVersionTheOneThatHoldsIsSignedOnceMoreAndReleased() throws Exception {
    cli.ok("place", capsule, "--on", on(0, 1, 2), "--key", key);
    SigningKey owner = SigningKey.parsePem(Files.readString(Path.of(key)));
    List<Statement> tied = new ArrayList<>();
    Stream.of(second(owner, 0, 1), second(owner, 1, 2))
        .sorted(Statement.Placement.ORDER)
        .forEach(tied::add);
    declare(tied);
    assertThat(cli.run("place", capsule, "--status").failsWith(1).out())
        .contains("Another placement has the same version");
    Map<String, Object> waited = cli.json("place", capsule, "--wait", "--key", key);
    assertThat(waited)
        .containsEntry("version", 3.0)
        .containsEntry("over", true)
        .containsEntry("released", true);
    // Neither the placement nor the release was signed more than once.
    try (Server server = Server.at(servers.get(1).endpoint(), servers.get(1).identity());
        CapsuleReader reader =
            server.openReader(Hash.parse(capsule), List.of(), ReaderOptions.withoutCache())) {
      List<Statement> known = reader.statements(true);
      assertThat(known).filteredOn(Statement.Placement.class::isInstance).hasSize(4);
      assertThat(known).filteredOn(Release.class::isInstance).hasSize(1);
    }
  }

  @Test
  void membersAreChosenWhenOnlyTheirNumberIsGiven() {
    addresses.forEach(address -> cli.ok("status", "--server", address));
    List<String> byWeight =
        servers.stream()
            .sorted(
                java.util.Comparator.comparing((Node node) ->
                        holdfast.capsule.Rendezvous.weight(Hash.parse(capsule), node.identity()))
                    .reversed())
            .map(node -> node.identity().toString())
            .toList();
    Map<String, Object> placed = cli.json("place", capsule, "--copies", "2", "--key", key);
    assertThat(members(placed)).containsExactlyInAnyOrderElementsOf(byWeight.subList(0, 2));
    cli.run("place", capsule, "--copies", "4", "--key", key).failsWith(2);
    cli.run("place", capsule, "--key", key).failsWith(2);
    cli.run("place", capsule, "--copies", "2", "--on", on(1), "--key", key).failsWith(2);

    Map<String, Object> created = cli.json("create", "--copies", "2", "--key", key);
    String made = (String) created.get("capsule");
    assertThat((List<?>) created.get("placed")).hasSize(2);
    Map<?, ?> placement = (Map<?, ?>) cli.json("status", made).get("placement");
    assertThat((List<?>) placement.get("members")).hasSize(2);
    cli.input("x", "append", made, "--key", key, "--replicas", "2").failsWith(0);
    cli.run("create", "--copies", "9", "--key", key).failsWith(2);
  }

  @Test
  void anOldServerMayStopWhenTheNewOnesSignThatTheyHoldWhatItHolds() {
    cli.ok("place", capsule, "--on", on(0), "--key", key);
    cli.input("a\nb\n", "append", capsule, "--lines", "--batch", "1", "--key", key).failsWith(0);
    // The server of the old placement leaves; what it has goes to both others first.
    Map<String, Object> moved = cli.json("place", capsule, "--on", on(1, 2), "--key", key);
    cli.ok("place", capsule, "--wait", "--agree", "2");
    assertThat(moved).containsEntry("complete", true);
    Map<String, Object> status = cli.json("place", capsule, "--status", "--agree", "2");
    assertThat(status).containsEntry("over", true).containsEntry("agreeing", 2.0);
    assertThat(cli.ok("place", capsule, "--status")).contains("may stop", "The change is over.");
    for (Object one : (List<?>) status.get("servers")) {
      assertThat(((Map<?, ?>) one).get("agrees")).isEqualTo(true);
    }
    assertThat(cli.run("place", capsule, "--status", "--agree", "3").failsWith(2).err())
        .contains("2 members");
    cli.run("place", capsule, "--status", "--on", on(1)).failsWith(2);
    cli.run("place", capsule, "--on", on(1)).failsWith(2);

    // One new server is gone: what it holds cannot be known, and two were wanted.
    servers.get(2).close();
    servers.remove(2);
    assertThat(cli.run("place", capsule, "--status", "--agree", "2").failsWith(1).out())
        .contains("no answer", "must NOT stop yet", "The change is not over yet.");
    assertThat(cli.json("place", capsule, "--status", "--agree", "1")).containsEntry("over", true);
    // The old one is gone: nobody knows what it may have had.
    servers.get(0).close();
    servers.remove(0);
    cli.run("place", capsule, "--status", "--agree", "1").failsWith(1);
  }

  @Test
  void aMoveEndsWhenItsOwnerSaysSoAndOldServersAreWantedUntilThen() {
    cli.ok("place", capsule, "--on", on(0), "--key", key);
    cli.input("a\nb\n", "append", capsule, "--lines", "--batch", "1", "--key", key).failsWith(0);
    cli.ok("place", capsule, "--on", on(1, 2), "--key", key);
    assertThat(cli.json("heads", capsule)).containsEntry("members", 3.0);
    cli.ok("place", capsule, "--wait");
    assertThat(cli.ok("place", capsule, "--status")).contains("--wait --key FILE");
    assertThat(cli.json("place", capsule, "--status")).containsEntry("released", false);
    assertThat(cli.ok("place", capsule, "--wait", "--key", key)).endsWith("The change is over.");
    assertThat(cli.json("place", capsule, "--status"))
        .containsEntry("released", true)
        .containsEntry("over", true);
    servers.get(0).close();
    servers.remove(0);
    assertThat(cli.json("heads", capsule))
        .containsEntry("members", 2.0)
        .containsEntry("survives", 1.0);
    cli.input("c", "append", capsule, "--key", key).failsWith(0);
  }

  @Test
  void whatServersThatAreGoneMayHaveIsGivenUpOnlyWhenItIsSaid() {
    cli.ok("place", capsule, "--on", on(0), "--key", key);
    cli.ok("place", capsule, "--on", on(1, 2), "--key", key);
    servers.get(0).close();
    servers.remove(0);
    cli.run("heads", capsule).failsWith(1);
    assertThat(cli.input("x", "append", capsule, "--key", key).failsWith(1).err())
        .contains("of version 1 of the placement");
    cli.run("place", capsule, "--give-up", "--key", key).failsWith(2);
    cli.run("place", capsule, "--give-up", addresses.get(0)).failsWith(2);
    cli.run("place", capsule, "--status", "--give-up", addresses.get(0), "--key", key).failsWith(2);
    assertThat(cli.run("place", capsule, "--give-up", on(1), "--key", key).failsWith(2).err())
        .contains(on(1) + " is none of the servers that left");
    assertThat(
            cli.run("place", capsule, "--give-up", on(1), "--wait", "--key", key)
                .failsWith(2)
                .err())
        .contains("is none of the servers that left");
    assertThat(cli.run("place", capsule, "--give-up-unsigned", "--key", key).failsWith(1).err())
        .contains("may have what its members lack", addresses.get(0));
    assertThat(cli.ok("place", capsule, "--give-up", addresses.get(0), "--key", key))
        .contains("acknowledged", "given up: " + addresses.get(0), "which does not answer");
    // Said again, whoever was not reached is told again.
    cli.ok("place", capsule, "--give-up", addresses.get(0), "--key", key);
    cli.input("x", "append", capsule, "--key", key).failsWith(0);
    assertThat(cli.json("heads", capsule)).containsEntry("members", 2.0);
  }

  /** Too few of the servers before answer to know what was placed last. */
  @Test
  void aCapsuleIsPlacedAnewByFewWhenTheOthersAreGivenUp() {
    cli.ok("place", capsule, "--on", on(0, 1), "--key", key);
    cli.ok("place", capsule, "--on", on(0, 1, 2), "--key", key);
    String[] gone = {on(1), on(2)};
    servers.remove(2).close();
    servers.remove(1).close();
    assertThat(cli.run("place", capsule, "--on", on(0), "--key", key).failsWith(1).err())
        .contains("1 of 3 servers of version 2", "2 have to", gone[0], gone[1], "--give-up");
    cli.ok(
        "place",
        capsule,
        "--on",
        on(0),
        "--give-up",
        String.join(",", gone),
        "--wait",
        "--key",
        key);
    assertThat(cli.json("heads", capsule)).containsEntry("members", 1.0);
  }

  @Test
  void serversThatAreBehindAreNotSaidToHoldTheSame() {
    cli.ok("place", capsule, "--on", on(0, 1), "--key", key);
    cli.ok("place", capsule, "--status", "--wait", "--agree", "2");
    // Written to the first one alone, and the two cannot meet: their digests differ.
    servers.get(1).close();
    servers.remove(1);
    cli.input("x", "append", capsule, "--key", key, "--replicas", "1").failsWith(0);
    assertThat(cli.json("place", capsule, "--status", "--agree", "1")).containsEntry("over", true);
    cli.run("place", capsule, "--status", "--agree", "2").failsWith(1);
  }

  @Test
  void aServerThatWasNotToldOfThePlacementHasNoSecondOneSignedWithItsVersion() {
    cli.ok("place", capsule, "--on", on(1, 2), "--key", key);
    // It has the capsule, and nobody told it where that is kept.
    Map<String, Object> placed =
        cli.json("place", capsule, "--on", on(0), "--server", on(0), "--key", key);
    assertThat(placed).containsEntry("version", 2.0);
    assertThat((List<?>) placed.get("servers")).hasSize(3);
  }

  /** The server that commands would ask first: members stand in the order of their keys. */
  private int firstAsked() {
    List<String> members =
        members(cli.json("place", capsule, "--on", on(0, 1, 2), "--key", key, "--agree", "1"));
    for (int i = 0; i < 3; i++) {
      if (servers.get(i).identity().toString().equals(members.getFirst())) {
        return i;
      }
    }
    throw new AssertionError();
  }

  @Test
  void whatReadsGoesOnWithTheNextServer() throws Exception {
    int gone = firstAsked();
    String record =
        cli.input("one", "append", capsule, "--key", key, "--replicas", "3").failsWith(0).line();
    servers.get(gone).close();
    Map<String, Object> status = cli.json("status", capsule);
    assertThat(status).containsEntry("records", 1.0);
    assertThat(addresses).contains((String) status.get("server"));
    assertThat(status.get("server")).isNotEqualTo(addresses.get(gone));
    assertThat(cli.json("watch", capsule, "--from", "0", "-n", "1"))
        .containsEntry("record", record);
    Path bundle = folder.resolve("all.capsule");
    Map<String, Object> exported = cli.json("export", capsule, "-o", bundle.toString());
    assertThat(exported).containsEntry("records", 1.0);
    assertThat(exported.get("server")).isNotEqualTo(addresses.get(gone));
    cli.ok("verify", bundle.toString(), "--capsule", capsule);
    // One that is named is asked, and no other.
    cli.run("status", capsule, "--server", addresses.get(gone)).failsWith(1);
    cli.run("export", capsule, "--server", addresses.get(gone), "-o", bundle.toString())
        .failsWith(1);
  }

  @Test
  void whatTheOwnerStatesIsToldToEveryServerAndOneIsEnough() {
    int gone = firstAsked();
    String record =
        cli.input("one", "append", capsule, "--key", key, "--replicas", "3").failsWith(0).line();
    String reader = cli.ok("key", "show", cli.key("reader")).lines().toList().getLast();
    String readerKey = reader.substring(reader.indexOf("x25519:"));
    Map<String, Object> granted = cli.json("grant", capsule, "--to", readerKey, "--key", key);
    assertThat(granted).containsEntry("acknowledged", 3.0);
    assertThat((List<?>) granted.get("servers")).hasSize(3);
    servers.get(gone).close();
    assertThat(cli.ok("grant", capsule, "--new-epoch", "--key", key))
        .contains("2 of 3 servers have signed for it", "NOT acknowledged: cannot reach");
    Map<String, Object> erased =
        cli.json("erase", capsule, record, "--reason", "test", "--key", key);
    assertThat(erased).containsEntry("acknowledged", 2.0);
    for (int i = 0; i < 3; i++) {
      if (i != gone) {
        assertThat(cli.json("status", capsule, "--server", addresses.get(i)))
            .containsEntry("erasures", 1.0)
            .containsEntry("grants", 3.0);
      }
    }
    String next = cli.ok("create", "--key", key, "--server", addresses.get((gone + 1) % 3));
    // Of three, one that lies could hide what it and the one that is gone have acknowledged.
    assertThat(cli.run("succeed", capsule, "--to", next, "--key", key).failsWith(1).err())
        .contains("2 of 3 servers say what is newest, 3 were to", "--quorum");
    cli.run("succeed", capsule, "--to", next, "--key", key, "--quorum", "1").failsWith(2);
    cli.run("succeed", capsule, "--to", next, "--key", key, "--quorum", "4").failsWith(2);
    int also = (gone + 1) % 3;
    servers.get(also).close();
    // One server cannot know of everything that a majority acknowledged.
    assertThat(cli.run("succeed", capsule, "--to", next, "--key", key).failsWith(1).err())
        .contains("1 of 3 servers of version 1", "2 have to");
    String left = addresses.get((gone + 2) % 3);
    assertThat(cli.json("status", capsule)).containsEntry("closed", false);
    assertThat(cli.json("succeed", capsule, "--to", next, "--key", key, "--server", left))
        .containsEntry("acknowledged", 1.0)
        .containsEntry("finalHeads", List.of(record));
    servers.get((gone + 2) % 3).close();
    cli.run("erase", capsule, record, "--reason", "test", "--key", key).failsWith(1);
  }

  @Test
  void aCapsuleIsClosedWithTheHeadsThatAMajorityKnows() {
    cli.ok("place", capsule, "--on", on(0, 1, 2), "--key", key);
    String record =
        cli.input("one", "append", capsule, "--key", key, "--replicas", "3").failsWith(0).line();
    String next = cli.ok("create", "--key", key, "--server", addresses.getFirst());
    Map<String, Object> closed = cli.json("succeed", capsule, "--to", next, "--key", key);
    assertThat(closed).containsEntry("acknowledged", 3.0);
    assertThat(closed).containsEntry("finalHeads", List.of(record)).containsEntry("survives", 1.0);
    for (String address : addresses) {
      assertThat(cli.json("status", capsule, "--server", address)).containsEntry("successor", next);
    }
  }

  @Test
  void aCapsuleIsClosedByFewerServersOnlyWhenThatIsSaid() {
    cli.ok("place", capsule, "--on", on(0, 1, 2), "--key", key);
    String next = cli.ok("create", "--key", key, "--server", addresses.getFirst());
    servers.remove(2).close();
    cli.run("succeed", capsule, "--to", next, "--key", key).failsWith(1);
    assertThat(cli.json("succeed", capsule, "--to", next, "--key", key, "--quorum", "2"))
        .containsEntry("survives", 0.0)
        .containsEntry("acknowledged", 2.0);
  }

  @Test
  void aCapsuleIsNotClosedWhileItMoves() {
    cli.ok("place", capsule, "--on", on(0, 1), "--key", key);
    cli.ok("place", capsule, "--on", on(1, 2), "--key", key);
    // All is there, and the owner has not released the server that left.
    cli.ok("place", capsule, "--wait");
    String next = cli.ok("create", "--key", key, "--server", addresses.getLast());
    servers.getFirst().close();
    assertThat(cli.run("succeed", capsule, "--to", next, "--key", key).failsWith(1).err())
        .contains("still moving", "--wait");
    assertThat(cli.json("status", capsule)).containsEntry("closed", false);
  }

  private static List<String> members(Map<String, Object> placed) {
    return ((List<?>) placed.get("servers"))
        .stream().map(one -> String.valueOf(((Map<?, ?>) one).get("identity"))).toList();
  }
}
