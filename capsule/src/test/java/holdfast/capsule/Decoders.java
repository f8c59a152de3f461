package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Every decoder as a fuzz target: hostile input may only be refused with a {@link ProofException},
 * and what is accepted is the one encoding of its value.
 */
enum Decoders {
  METADATA {
    @Override
    void decode(byte[] input) throws ProofException {
      same(input, Metadata.decode(input).encode());
    }
  },
  HEADER {
    @Override
    void decode(byte[] input) throws ProofException {
      RecordHeader header = RecordHeader.decode(input.clone());
      same(
          input,
          RecordHeader.of(
                  header.capsule(),
                  header.writer(),
                  header.timeMillis(),
                  header.epoch(),
                  header.salt(),
                  header.counter(),
                  header.keyCommitment(),
                  header.bodyRoot(),
                  header.leafCount(),
                  header.sealedSize(),
                  header.pointers())
              .unsafeBytes());
    }
  },
  RECORDS {
    @Override
    void decode(byte[] input) throws ProofException {
      List<Record> records = Record.readAll(input.clone(), 100);
      same(input, Record.encodeAll(records));
      for (Record record : records) {
        refusedOrNot(() -> record.expect(FIXTURE.capsule, record.name()));
      }
    }
  },
  BODY {
    @Override
    void decode(byte[] input) throws ProofException {
      if (input.length == 0) {
        return;
      }
      byte[] rest = Arrays.copyOfRange(input, 1, input.length);
      Body body = Body.decode(rest.clone(), input[0] & 0xFF);
      same(rest, body.erase(leaf -> false).unsafeBytes());
      assertThat(body.whole()).isEqualTo(body.leafCount() == leavesThere(body));
      if (body.leafCount() > 0) {
        assertThat(body.erase(leaf -> true).root()).isEqualTo(body.root());
      }
    }

    private long leavesThere(Body body) {
      long there = 0;
      for (int leaf = 0; leaf < body.leafCount(); leaf++) {
        there += body.erased(leaf) ? 0 : 1;
      }
      return there;
    }
  },
  STATEMENT {
    @Override
    void decode(byte[] input) throws ProofException {
      Statement statement = Statement.decode(input);
      same(input, statement.encode());
      refusedOrNot(() -> statement.verify(FIXTURE.metadata));
      if (statement instanceof Statement.Grant grant) {
        refusedOrNot(() -> grant.open(Fixture.STRANGER.readerKey()));
      }
    }
  },
  CHAIN_PROOF {
    @Override
    void decode(byte[] input) throws ProofException {
      VerificationCache cache = new VerificationCache(100, 0);
      cache.addRecord(TOP.name(), new Voucher(0, true));
      try {
        ChainProof.verify(input, FIXTURE.capsule, FIXTURE.metadata, cache, List.of());
      } catch (ProofException e) {
        assertThat(cache.size()).isEqualTo(1);
        throw e;
      }
    }
  },
  RECEIPT {
    @Override
    void decode(byte[] input) throws ProofException {
      Receipt receipt = Receipt.decode(input);
      same(input, receipt.encode());
      refusedOrNot(() ->
          receipt.verify(
              receipt.server(), receipt.capsule(), Receipt.Level.RECEIVED, List.of(ENTRY)));
    }
  },
  EXTRACT {
    @Override
    void decode(byte[] input) throws ProofException {
      Decoder in = new Decoder(input, "extract");
      Receipt.Extract extract = Receipt.Extract.read(in);
      in.end();
      Encoder out = new Encoder();
      extract.encode(out);
      same(input, out.toBytes());
      refusedOrNot(extract::verify);
    }
  },
  FRESHNESS {
    @Override
    void decode(byte[] input) throws ProofException {
      Freshness answer = Freshness.decode(input);
      same(input, answer.encode());
      refusedOrNot(() -> answer.verify(answer.server(), answer.capsule(), answer.nonce()));
    }
  },
  HOLDING {
    @Override
    void decode(byte[] input) throws ProofException {
      same(input, Holding.decode(input).encode());
    }
  },
  ABSENCE {
    @Override
    void decode(byte[] input) throws ProofException {
      Absence answer = Absence.decode(input);
      same(input, answer.encode());
      refusedOrNot(
          () -> answer.verify(answer.server(), answer.capsule(), answer.nonce(), answer.record()));
    }
  },
  EVIDENCE_FILE {
    @Override
    void decode(byte[] input) throws ProofException {
      same(input, Evidence.verify(input).encode());
    }
  },
  PROOF_FILE {
    @Override
    void decode(byte[] input) throws ProofException {
      OfflineProof proof = OfflineProof.verify(input);
      // Without chain and signatures at hand, what can be compared is what the file must contain.
      assertThat(input.length).isGreaterThan(proof.metadata().encode().length);
    }
  },
  BUNDLE_PARTS {
    @Override
    void decode(byte[] input) throws ProofException {
      Decoder in = new Decoder(input, "parts");
      Bundle.Head head = Bundle.Head.of(in.bytes16(4096), in.bytes16(64));
      assertThat(head.encode()).startsWith(Bundle.MAGIC.toArray());
      Bundle.Verifier verifier = new Bundle.Verifier(head);
      for (int count = Bundle.statementCount(in.raw(4)); count > 0; count--) {
        verifier.statement(in.bytes16(4096));
      }
      while (in.remaining() > 8) {
        verifier.frame(in.bytes32(1 << 20));
      }
      verifier.finish(in.u64());
      in.end();
      assertThat(verifier.graph().provenCount()).isEqualTo(verifier.graph().size());
    }
  },
  INCREMENT_PARTS {
    @Override
    void decode(byte[] input) throws ProofException {
      Decoder in = new Decoder(input, "parts");
      Bundle.Head head =
          Bundle.Head.of(in.bytes16(4096), in.bytes16(64))
              .withBase(in.raw(Bundle.Head.baseCount(in.raw(4)) * holdfast.base.Hash.SIZE));
      assertThat(head.encode()).startsWith(Bundle.INCREMENT_MAGIC.toArray());
      Bundle.Verifier verifier = new Bundle.Verifier(head);
      for (int count = Bundle.statementCount(in.raw(4)); count > 0; count--) {
        verifier.statement(in.bytes16(4096));
      }
      while (in.remaining() > 8) {
        verifier.frame(in.bytes32(1 << 20));
      }
      verifier.finish(in.u64());
      in.end();
      assertThat(verifier.graph().provenCount()).isEqualTo(verifier.graph().size());
    }
  },
  GRAPH_BLOCK {
    @Override
    void decode(byte[] input) throws ProofException {
      // Kept on the own disk, neither hashed nor signed: the value has to last, not the bytes.
      byte[] once = GraphBlock.decode(input, 512).encode(512);
      same(once, GraphBlock.decode(once, 512).encode(512));
    }
  };

  private static final Fixture FIXTURE = new Fixture(2);
  private static final RecordHeader BOTTOM;
  private static final RecordHeader TOP;
  private static final Receipt.Entry ENTRY =
      new Receipt.Entry(Receipt.Kind.WRITE, Hash.ZERO, Receipt.Outcome.PROVEN);

  static {
    Gen gen = new Gen(0);
    BOTTOM = FIXTURE.header(gen, 0, List.of());
    TOP = FIXTURE.header(gen, 0, List.of(BOTTOM.name()));
  }

  /** Decodes and checks; the one exception that may come out says that the input is refused. */
  abstract void decode(byte[] input) throws ProofException;

  /** What a fuzzer runs. */
  void accept(byte[] input) {
    refusedOrNot(() -> decode(input));
  }

  private interface Check {
    void run() throws ProofException;
  }

  private static void refusedOrNot(Check check) {
    try {
      check.run();
    } catch (ProofException refused) {
      assertThat(refused.violation()).isNotNull();
    }
  }

  private static void same(byte[] input, byte[] again) {
    assertThat(again).isEqualTo(input);
  }

  // ---- Valid inputs to begin with --------------------------------------------------------------

  /** A few inputs that this decoder accepts. */
  List<byte[]> corpus() {
    Gen gen = new Gen(1);
    return switch (this) {
      case METADATA -> List.of(FIXTURE.metadata.encode(), MetadataTest.any(gen).encode());
      case HEADER -> List.of(BOTTOM.unsafeBytes(), TOP.unsafeBytes());
      case RECORDS -> List.of(Record.encodeAll(records()));
      case BODY -> List.of(body(records().get(0)), body(records().get(1)));
      case STATEMENT -> statements();
      case CHAIN_PROOF -> List.of(chain(), knownChain());
      case RECEIPT -> List.of(receipt().encode());
      case EXTRACT -> List.of(extract());
      case FRESHNESS ->
          List.of(
              Freshness.sign(
                      Fixture.SERVER,
                      FIXTURE.capsule,
                      Hash.ZERO,
                      1,
                      2,
                      List.of(gen.hash(), gen.hash()),
                      List.of(gen.hash()))
                  .encode());
      case HOLDING ->
          List.of(
              Holding.sign(
                      Fixture.SERVER, FIXTURE.capsule, FIXTURE.capsule, 5, 1, 3, FIXTURE.capsule)
                  .encode());
      case ABSENCE -> List.of(evidence().denied().encode());
      case EVIDENCE_FILE -> List.of(evidence().encode());
      case PROOF_FILE -> List.of(proofFile());
      case BUNDLE_PARTS -> List.of(bundleParts());
      case INCREMENT_PARTS -> List.of(incrementParts());
      case GRAPH_BLOCK -> List.of(block());
    };
  }

  private static List<Record> records() {
    Sealer sealer = FIXTURE.sealer(new Gen(2), 0);
    Record first = sealer.seal(List.of(new byte[1], new byte[0], new byte[9]), 1, List.of());
    Record second = sealer.seal(List.of(new byte[5]), 2, List.of(first.name()));
    Record third = sealer.seal(List.of(new byte[5]), 3, List.of(second.name()));
    Body body = java.util.Objects.requireNonNull(first.body());
    return List.of(
        new Record(first.header(), Record.State.PARTLY_ERASED, body.erase(leaf -> leaf == 1)),
        second,
        new Record(third.header(), Record.State.ERASED, null));
  }

  private static byte[] body(Record record) {
    Body body = java.util.Objects.requireNonNull(record.body());
    return new Encoder().u8(body.leafCount()).raw(body.unsafeBytes()).toBytes();
  }

  private static List<byte[]> statements() {
    List<byte[]> all = new ArrayList<>();
    all.add(FIXTURE.sign(TOP, 0).encode());
    List<Statement.Erased> erased =
        List.of(
            new Statement.Erased.OfRecord(TOP.name()),
            new Statement.Erased.OfLeaf(TOP.name(), 0),
            new Statement.Erased.OfTimes(1, 2));
    for (Statement.Erased one : erased) {
      all.add(Statement.Erasure.sign(FIXTURE.capsule, 9, one, "why", FIXTURE.owner).encode());
    }
    all.add(
        Statement.Grant.sign(
                FIXTURE.capsule,
                9,
                FIXTURE.contentKey,
                Fixture.STRANGER.readerKey().publicHalf(),
                FIXTURE.owner)
            .encode());
    all.add(
        Statement.Succession.sign(
                FIXTURE.capsule, 9, List.of(TOP.name(), BOTTOM.name()), Hash.ZERO, FIXTURE.owner)
            .encode());
    List<Statement.Placement.Member> members =
        List.of(
            new Statement.Placement.Member(Fixture.SERVER.verifyKey(), "one:1"),
            new Statement.Placement.Member(Fixture.STRANGER.verifyKey(), "[::1]:7420"));
    all.add(Statement.Placement.sign(FIXTURE.capsule, 9, 1, members, FIXTURE.owner).encode());
    all.add(Release.sign(FIXTURE.capsule, 9, 2, FIXTURE.owner).encode());
    return all;
  }

  private static byte[] chain() {
    return new Encoder()
        .u32(2)
        .raw(TOP.unsafeBytes())
        .u8(0)
        .u16(0)
        .raw(FIXTURE.sign(TOP, 0).signature())
        .raw(BOTTOM.unsafeBytes())
        .u8(1)
        .u32(0)
        .toBytes();
  }

  private static byte[] knownChain() {
    return new Encoder()
        .u32(2)
        .raw(TOP.unsafeBytes())
        .u8(2)
        .raw(BOTTOM.unsafeBytes())
        .u8(1)
        .u32(0)
        .toBytes();
  }

  private static Receipt receipt() {
    return Receipt.sign(
        Fixture.SERVER, FIXTURE.capsule, Receipt.Level.SYNCED, 1, List.of(ENTRY, ENTRY, ENTRY));
  }

  private static byte[] extract() {
    Encoder out = new Encoder();
    Receipt.Extract.ofAll(receipt(), List.of(ENTRY, ENTRY, ENTRY)).get(1).encode(out);
    return out.toBytes();
  }

  private static Evidence evidence() {
    Receipt.Extract promised =
        Receipt.Extract.ofAll(receipt(), List.of(ENTRY, ENTRY, ENTRY)).getFirst();
    Hash nonce = Evidence.nonce(promised.receipt(), Hash.ZERO);
    return new Evidence(
        promised, Hash.ZERO, Absence.sign(Fixture.SERVER, FIXTURE.capsule, nonce, 2, ENTRY.name()));
  }

  private static byte[] proofFile() {
    Record record = FIXTURE.sealer(new Gen(2), 0).seal(List.of(new byte[4]), 0, List.of());
    Body body = java.util.Objects.requireNonNull(record.body());
    byte[] chain =
        new Encoder()
            .u32(1)
            .raw(record.header().unsafeBytes())
            .u8(0)
            .u16(0)
            .raw(FIXTURE.sign(record.header(), 0).signature())
            .toBytes();
    return OfflineProof.encode(
        FIXTURE.metadata,
        chain,
        new OfflineProof.Leaf(0, Bytes.wrap(body.leaf(0)), List.of()),
        null,
        List.of(),
        Statement.Succession.sign(
            FIXTURE.capsule, 1, List.of(record.name()), FIXTURE.capsule, FIXTURE.owner));
  }

  private static byte[] bundleParts() {
    Sealer sealer = FIXTURE.sealer(new Gen(2), 0);
    Record first = sealer.seal(List.of(new byte[1]), 1, List.of());
    Record second = sealer.seal(List.of(new byte[5]), 2, List.of(first.name()));
    return new Encoder()
        .bytes16(FIXTURE.metadata.encode())
        .bytes16(FIXTURE.metadata.signCreation(FIXTURE.owner))
        .u32(1)
        .bytes16(FIXTURE.sign(second.header(), 0).encode())
        .bytes32(Record.encodeAll(List.of(first, second)))
        .u64(2)
        .toBytes();
  }

  private static byte[] incrementParts() {
    Sealer sealer = FIXTURE.sealer(new Gen(2), 0);
    Record first = sealer.seal(List.of(new byte[1]), 1, List.of());
    Record second = sealer.seal(List.of(new byte[5]), 2, List.of(first.name()));
    Record third = sealer.seal(List.of(new byte[7]), 3, List.of());
    Record link = new Record(second.header(), Record.State.HEADER_ONLY, null);
    return new Encoder()
        .bytes16(FIXTURE.metadata.encode())
        .bytes16(FIXTURE.metadata.signCreation(FIXTURE.owner))
        .u32(1)
        .hash(second.name())
        .u32(2)
        .bytes16(FIXTURE.sign(second.header(), 0).encode())
        .bytes16(FIXTURE.sign(third.header(), 0).encode())
        .bytes32(Record.encodeAll(List.of(first, link, third)))
        .u64(3)
        .toBytes();
  }

  private static byte[] block() {
    GraphBlock block = new GraphBlock();
    for (int i = 0; i < 5; i++) {
      block.add(i, 100L - i, new long[] {510, GraphBlock.MISSING, 513L + i});
      block.rank[i] = i == 0 ? Witness.UNPROVEN : i % 2 == 0 ? i : Witness.VOUCHED | i;
      block.hop[i] = 513L + i;
    }
    block.makeFinal(2, 514);
    block.makeFinal(3, 900);
    return block.encode(512);
  }
}
