package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement.Erased;
import holdfast.crypto.Domain;
import holdfast.crypto.ReaderKey;
import holdfast.crypto.Secret;
import holdfast.crypto.Sha256;
import holdfast.crypto.SigningKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * The vectors of docs/format.md: one small capsule, byte for byte.
 *
 * <p>They are kept in vectors/format.txt. With {@code -Dholdfast.writeVectors=FILE} the test writes
 * what the code makes of the same inputs; a change there is a change of the format.
 */
class FormatVectorsTest {
  private static final Path RESOURCE = Path.of("src/test/resources/vectors/format.txt");
  private static final Path DOCUMENT = Path.of("../docs/format.md");
  private static final int DIGITS_PER_LINE = 96;

  private static final SigningKey OWNER = Fixture.key(0x01);
  private static final SigningKey WRITER = Fixture.key(0x10);
  private static final SigningKey SECOND = Fixture.key(0x11);
  private static final SigningKey SERVER = Fixture.key(0x51);
  private static final ReaderKey READER = Fixture.key(0x61).readerKey();
  private static final long TIME = 1_700_000_000_000L;

  private final Map<String, Bytes> expected = parse(read(RESOURCE));
  private final Map<String, Bytes> made = new LinkedHashMap<>();

  private void put(String name, byte[] value) {
    made.put(name, Bytes.copyOf(value));
  }

  private void put(String name, Hash value) {
    put(name, value.toBytes());
  }

  private void make() throws ProofException {
    put("owner key", OWNER.verifyKey().bytes().toArray());
    put("writer 0 key", WRITER.verifyKey().bytes().toArray());
    put("writer 1 key", SECOND.verifyKey().bytes().toArray());
    put("server key", SERVER.verifyKey().bytes().toArray());
    put("reader key", READER.publicHalf().bytes().toArray());

    TreeMap<Integer, Bytes> extensions = new TreeMap<>();
    extensions.put(7, Bytes.utf8("seven"));
    Metadata metadata =
        new Metadata(
            OWNER.verifyKey(),
            List.of(
                new Metadata.Writer(WRITER.verifyKey(), "sensor"),
                new Metadata.Writer(SECOND.verifyKey(), "gateway")),
            "tide gauge, pier 3",
            TIME,
            "ask the owner",
            Bytes.wrap(Fixture.filled(0x0A, 16)),
            extensions);
    Hash capsule = metadata.name();
    put("metadata", metadata.encode());
    put("capsule name", capsule);
    put("creation signature", metadata.signCreation(OWNER));

    ContentKey contentKey = new ContentKey(0, Secret.copyOf(Fixture.filled(0xC0, 32)));
    byte[] salt = Fixture.filled(0x5A, 16);
    Sealer sealer = new Sealer(capsule, 0, contentKey, salt);
    Record first =
        sealer.seal(
            List.of(Bytes.utf8("hello").toArray(), new byte[0], Bytes.utf8("tide").toArray()),
            TIME + 1,
            List.of());
    RecordHeader header = first.header();
    Record second =
        sealer.seal(List.of(Bytes.utf8("next").toArray()), TIME + 2, List.of(header.name()));
    Body body = java.util.Objects.requireNonNull(first.body());
    Secret recordKey = new Opener(capsule, List.of(contentKey)).recordKey(header);
    put("session key", contentKey.sessionKey(capsule, salt));
    put("record key", recordKey.expose());
    put("key commitment", header.keyCommitment());
    put("sealed leaf 0", body.leaf(0));
    put("sealed leaf 1", body.leaf(1));
    put("sealed leaf 2", body.leaf(2));
    put("leaf hash 0", body.leafHash(0));
    put("leaf hash 1", body.leafHash(1));
    put("leaf hash 2", body.leafHash(2));
    put("body root", body.root());
    put("header", header.unsafeBytes());
    put("record name", header.name());
    put("record", Record.encodeAll(List.of(first)));
    put(
        "record, leaf 1 erased",
        Record.encodeAll(
            List.of(
                new Record(header, Record.State.PARTLY_ERASED, body.erase(leaf -> leaf == 1)))));
    put("second header", second.header().unsafeBytes());
    put("second record name", second.name());

    statements(capsule, contentKey, header.name(), second.name());
    byte[] receipts = receipts(capsule, header.name(), second.name());
    put("possession", possession(capsule, null));
    put(
        "possession, versions stated",
        possession(capsule, new Possession.Stated(new Versions(1, 3), new Versions(1, 2))));
    files(metadata, first, second, recordKey, receipts);
  }

  private static byte[] possession(Hash capsule, Possession.@Nullable Stated versions) {
    return Possession.prove(
        WRITER,
        SERVER.verifyKey(),
        capsule,
        Hash.of(Fixture.filled(0xA1, 32)),
        Hash.of(Fixture.filled(0xA2, 32)),
        versions);
  }

  private void statements(Hash capsule, ContentKey contentKey, Hash first, Hash second)
      throws ProofException {
    Statement signature = Statement.WriterSignature.sign(capsule, second, 0, WRITER);
    put("writer's signature", signature.encode());
    put("name of the writer's signature", signature.name());
    put("erasure of a record", erasure(capsule, new Erased.OfRecord(first)));
    put("erasure of a leaf", erasure(capsule, new Erased.OfLeaf(first, 1)));
    put("erasure of a time range", erasure(capsule, new Erased.OfTimes(TIME, TIME + 2)));
    // Sealing is random; what was sealed once is an input here.
    Bytes sealed = expected.get("sealed content key");
    if (sealed == null) {
      byte[] context = new Encoder().hash(capsule).u32(0).toBytes();
      sealed = Bytes.wrap(READER.publicHalf().seal(contentKey.secret().expose(), context));
    }
    put("sealed content key", sealed.toArray());
    Statement.Grant draft =
        new Statement.Grant(capsule, TIME + 3, 0, READER.publicHalf(), sealed, Bytes.EMPTY);
    Statement.Grant grant =
        new Statement.Grant(
            capsule,
            TIME + 3,
            0,
            READER.publicHalf(),
            sealed,
            Bytes.wrap(OWNER.sign(Domain.SIGN_GRANT, draft.unsigned())));
    assertThat(grant.open(READER)).isEqualTo(contentKey);
    put("grant", grant.encode());
    put(
        "succession",
        Statement.Succession.sign(
                capsule, TIME + 4, List.of(second), Hash.of(Fixture.filled(0xBB, 32)), OWNER)
            .encode());
    put(
        "placement",
        Statement.Placement.sign(
                capsule,
                TIME + 4,
                1,
                List.of(
                    new Statement.Placement.Member(SERVER.verifyKey(), "one.example:7420"),
                    new Statement.Placement.Member(
                        Fixture.key(0x52).verifyKey(), "two.example:7420")),
                OWNER)
            .encode());
    put("release", Release.sign(capsule, TIME + 4, 2, OWNER).encode());
    put("weight of the server for the capsule", Rendezvous.weight(capsule, SERVER.verifyKey()));
  }

  private static byte[] erasure(Hash capsule, Erased erased) {
    return Statement.Erasure.sign(capsule, TIME + 3, erased, "on request", OWNER).encode();
  }

  private byte[] receipts(Hash capsule, Hash first, Hash second) throws ProofException {
    List<Receipt.Entry> entries =
        List.of(
            new Receipt.Entry(Receipt.Kind.WRITE, first, Receipt.Outcome.PROVEN),
            new Receipt.Entry(Receipt.Kind.WRITE, second, Receipt.Outcome.PROVEN),
            new Receipt.Entry(Receipt.Kind.SIGN, second, Receipt.Outcome.PROVEN));
    Receipt receipt = Receipt.sign(SERVER, capsule, Receipt.Level.SYNCED, TIME + 5, entries);
    put("receipt", receipt.encode());
    Encoder extract = new Encoder();
    Receipt.Extract.ofAll(receipt, entries).getFirst().encode(extract);
    put("receipt extract", extract.toBytes());
    put(
        "freshness answer",
        Freshness.sign(
                SERVER,
                capsule,
                Hash.of(Fixture.filled(0xA3, 32)),
                TIME + 6,
                2,
                List.of(second),
                List.of())
            .encode());
    Receipt.Extract promised = Receipt.Extract.ofAll(receipt, entries).getFirst();
    Hash salt = Hash.of(Fixture.filled(0xA4, 32));
    Hash nonce = Evidence.nonce(receipt, salt);
    put("nonce of a question about a receipt", nonce);
    Absence denied = Absence.sign(SERVER, capsule, nonce, TIME + 7, first);
    put("answer about an absent record", denied.encode());
    put(
        "word on what a server holds",
        Holding.sign(
                SERVER,
                capsule,
                Hash.of(Fixture.filled(0xA5, 32)),
                TIME + 8,
                1,
                3,
                Hash.of(Fixture.filled(0xA6, 32)))
            .encode());
    Evidence evidence = new Evidence(promised, salt, denied);
    evidence.verify();
    put("evidence file", evidence.encode());
    return extract.toBytes();
  }

  private void files(
      Metadata metadata, Record first, Record second, Secret recordKey, byte[] extract)
      throws ProofException {
    RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), 1);
    graph.insert(first.header(), new long[0]);
    graph.insert(second.header(), new long[] {0});
    graph.sign(1, 0);
    ProofPlan plan = new ProofPlan();
    assertThat(plan.add(graph, null, 0, Fixture.NONE_DAMAGED)).isEqualTo(ProofPlan.Outcome.PROVEN);
    byte[] chain =
        ChainProof.encode(
            plan,
            new ChainProof.Source() {
              @Override
              public byte[] header(long arrival) {
                return (arrival == 0 ? first : second).header().unsafeBytes();
              }

              @Override
              public Statement.WriterSignature signature(long arrival) {
                return Statement.WriterSignature.sign(metadata.name(), second.name(), 0, WRITER);
              }
            });
    put("chain proof", chain);
    Body body = java.util.Objects.requireNonNull(first.body());
    OfflineProof.Leaf leaf =
        new OfflineProof.Leaf(
            0, Bytes.wrap(body.leaf(0)), Merkle.path(Merkle.levels(body.leafHashes()), 0));
    Receipt.Extract receipt = Receipt.Extract.read(new holdfast.base.Decoder(extract, "extract"));
    byte[] proof = OfflineProof.encode(metadata, chain, leaf, recordKey, List.of(receipt), null);
    put("proof file", proof);
    assertThat(OfflineProof.verify(proof).content()).isEqualTo(Bytes.utf8("hello").toArray());

    byte[] signature = java.util.Objects.requireNonNull(made.get("writer's signature")).toArray();
    byte[] frame = Record.encodeAll(List.of(first, second));
    Bundle.Head head = new Bundle.Head(metadata, Bytes.wrap(metadata.signCreation(OWNER)));
    Encoder bundle = new Encoder().raw(head.encode()).u32(1).bytes32(signature).u64(2);
    bundle.bytes32(frame).u32(0);
    byte[] sum = new byte[Hash.SIZE];
    Sha256.get().plain(bundle.toBytes(), 0, bundle.size(), sum, 0);
    put("capsule file", bundle.raw(sum).toBytes());
    Bundle.Verifier verifier = new Bundle.Verifier(head);
    verifier.statement(signature);
    verifier.frame(frame);
    verifier.finish(2);
    increment("increment file", head, first.name(), signature, Record.encodeAll(List.of(second)));
    Record link = new Record(second.header(), Record.State.HEADER_ONLY, null);
    increment(
        "increment file with a link",
        head,
        second.name(),
        signature,
        Record.encodeAll(List.of(first, link)));
  }

  private void increment(String name, Bundle.Head whole, Hash base, byte[] signature, byte[] frame)
      throws ProofException {
    Bundle.Head head = new Bundle.Head(whole.metadata(), whole.creationSignature(), List.of(base));
    Bundle.Verifier verifier = new Bundle.Verifier(head);
    verifier.statement(signature);
    int records = verifier.frame(frame).size();
    verifier.finish(records);
    Encoder out = new Encoder().raw(head.encode()).u32(1).bytes32(signature).u64(records);
    out.bytes32(frame).u32(0);
    byte[] sum = new byte[Hash.SIZE];
    Sha256.get().plain(out.toBytes(), 0, out.size(), sum, 0);
    put(name, out.raw(sum).toBytes());
  }

  // ---- The files -----------------------------------------------------------------------------

  private static String read(Path file) {
    try {
      return Files.exists(file) ? Files.readString(file) : "";
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static Map<String, Bytes> parse(String text) {
    Map<String, StringBuilder> digits = new LinkedHashMap<>();
    StringBuilder current = new StringBuilder();
    for (String line : text.lines().toList()) {
      if (line.startsWith("  ")) {
        current.append(line.strip());
      } else {
        current = new StringBuilder();
        assertThat(digits.put(line, current)).as(line + " stands there once").isNull();
      }
    }
    Map<String, Bytes> vectors = new LinkedHashMap<>();
    digits.forEach((name, hex) -> vectors.put(name, Bytes.parseHex(hex.toString())));
    return vectors;
  }

  private static String format(Map<String, Bytes> vectors) {
    StringBuilder text = new StringBuilder();
    vectors.forEach((name, bytes) -> {
      text.append(name).append('\n');
      String hex = bytes.toHex();
      for (int at = 0; at < hex.length(); at += DIGITS_PER_LINE) {
        int end = Math.min(hex.length(), at + DIGITS_PER_LINE);
        text.append("  ").append(hex, at, end).append('\n');
      }
    });
    return text.toString();
  }

  @Test
  void d39TheCodeMakesTheVectors() throws Exception {
    make();
    String target = System.getProperty("holdfast.writeVectors");
    if (target != null) {
      Files.writeString(Path.of(target), format(made), StandardCharsets.UTF_8);
    }
    assertThat(made.keySet()).containsExactlyElementsOf(expected.keySet());
    made.forEach((name, bytes) -> assertThat(bytes.toHex()).as(name).isEqualTo(hex(name)));
  }

  private String hex(String name) {
    return java.util.Objects.requireNonNull(expected.get(name)).toHex();
  }

  @Test
  void d39TheDocumentShowsTheSameVectors() {
    String document = read(DOCUMENT);
    String marker = "```vectors\n";
    int start = document.indexOf(marker);
    assertThat(start).as("docs/format.md holds the vectors").isPositive();
    int end = document.indexOf("```", start + marker.length());
    assertThat(document.substring(start + marker.length(), end)).isEqualTo(read(RESOURCE));
  }

  /** The tags in the document are those in the code. */
  @Test
  void d39TheDocumentShowsEveryTag() {
    String document = read(DOCUMENT);
    for (Domain domain : Domain.values()) {
      assertThat(document)
          .contains("`" + new String(domain.tag(), StandardCharsets.US_ASCII) + "`");
    }
  }
}
