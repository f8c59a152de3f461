package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.client.BundleExport;
import holdfast.client.BundleFile;
import holdfast.client.BundleImport;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import holdfast.wire.BodyPart;
import holdfast.wire.CommitPart;
import holdfast.wire.Request;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Records of more than a message holds come back whole, and travel from server to server. */
@Timeout(Patience.TEST_SECONDS)
class LargeRecordsTest extends MaliciousServerTest {
  @TempDir Path folder;

  /** A leaf as large as any may be, a large one, and some small ones: about 19 MiB. */
  private static List<byte[]> unequal() {
    List<byte[]> leaves = new ArrayList<>();
    leaves.add(new byte[Limits.LEAF_BYTES - 16]);
    leaves.add(new byte[3 << 20]);
    for (int i = 0; i < 100; i++) {
      leaves.add(new byte[] {(byte) i});
    }
    return leaves;
  }

  /** Many small leaves: about 18 MiB. */
  private static List<byte[]> many() {
    List<byte[]> leaves = new ArrayList<>();
    for (int i = 0; i < 150_000; i++) {
      leaves.add(new byte[104]);
    }
    return leaves;
  }

  private List<Hash> write() throws Exception {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults())) {
      names.add(writer.append(unequal()));
      names.add(writer.append(new byte[1]));
      names.add(writer.append(many()));
      writer.commitOrThrow();
    }
    return names;
  }

  private static Record proven(ReadResult result) {
    return ((ReadResult.Proven) result).record();
  }

  @Test
  void aRecordOfMoreThanAMessageIsReadWhole() throws Exception {
    List<Hash> names = write();
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      // All at once, and nobody has to know which are large.
      List<ReadResult> all = reader.readAll(names);
      List<List<byte[]>> written = List.of(unequal(), List.of(new byte[1]), many());
      for (int i = 0; i < names.size(); i++) {
        Record record = proven(all.get(i));
        assertThat(record.state()).isEqualTo(Record.State.WHOLE);
        byte[][] leaves = reader.opener().openAll(record.header(), record.body());
        assertThat(leaves).isDeepEqualTo(written.get(i).toArray(new byte[0][]));
      }
      var leaf =
          (ReadResult.LeafResult.Proven)
              reader.readLeaves(List.of(new ReadResult.LeafName(names.getFirst(), 0))).getFirst();
      assertThat(leaf.sealed().size()).isEqualTo(Limits.LEAF_BYTES);
    }
  }

  @Test
  void leavesOfALargeRecordThatAreErasedStayErased() throws Exception {
    Hash name = write().getFirst();
    fixture.server.declare(
        Statement.Erasure.sign(
            fixture.capsule, 9, new Statement.Erased.OfLeaf(name, 1), "x", fixture.owner));
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      var erased = (ReadResult.Erased) reader.read(name);
      assertThat(erased.record().state()).isEqualTo(Record.State.PARTLY_ERASED);
      assertThat(Objects.requireNonNull(erased.record().body()).erased(1)).isTrue();
      assertThat(erased.erasures()).hasSize(1);
    }
  }

  @Test
  void aBundleCarriesLargeRecordsToAServerWithoutAnyWritersKey() throws Exception {
    List<Hash> names = write();
    fixture.server.declare(
        Statement.Erasure.sign(
            fixture.capsule,
            9,
            new Statement.Erased.OfLeaf(names.getFirst(), 1),
            "x",
            fixture.owner));
    Path file = folder.resolve("large.capsule");
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      assertThat(BundleExport.write(reader, file, progress -> {}).records()).isEqualTo(3);
    }
    BundleFile bundle = BundleFile.verify(file);
    assertThat(bundle.contents().graph().size()).isEqualTo(3);
    try (NodeFixture other = NodeFixture.start(folder.resolve("other"))) {
      for (int round = 0; round < 2; round++) {
        assertThat(BundleImport.bring(other.server, bundle, progress -> {})).isEqualTo(3);
      }
      try (CapsuleReader there =
              other.server.openReader(
                  fixture.capsule, List.of(fixture.contentKey), ReaderOptions.defaults());
          CapsuleReader here = fixture.reader(ReaderOptions.defaults())) {
        List<ReadResult> copied = there.readAll(names);
        List<ReadResult> kept = here.readAll(names);
        assertThat(copied.getFirst()).isInstanceOf(ReadResult.Erased.class);
        for (int i = 1; i < names.size(); i++) {
          assertThat(Objects.requireNonNull(proven(copied.get(i)).body()).unsafeBytes())
              .isEqualTo(Objects.requireNonNull(proven(kept.get(i)).body()).unsafeBytes());
        }
      }
    }
  }

  /** One rule says what may be missing: in bundles, on arrival, in the store and to a reader. */
  @Test
  void aBodyWhoseLeavesAreAllErasedMayTravelWithoutThem() throws Exception {
    Record gone;
    try (RawClient raw = new RawClient(fixture, fixture.owner)) {
      Record whole = raw.record(0, List.of(), new byte[1], new byte[2]);
      gone = new Record(whole.header(), Record.State.ERASED, null);
      Statement signature = raw.sign(whole.name());
      raw.expectError(
          ErrorCode.VIOLATION,
          "comes without its body",
          raw.write(List.of(gone), List.of(signature)));
      for (int leaf = 0; leaf < 2; leaf++) {
        fixture.server.declare(
            Statement.Erasure.sign(
                fixture.capsule,
                9,
                new Statement.Erased.OfLeaf(whole.name(), leaf),
                "x",
                fixture.owner));
      }
      raw.expectReceipt(raw.write(List.of(gone), List.of(signature)));
    }
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.read(gone.name())).isInstanceOf(ReadResult.Erased.class);
    }
  }

  @Test
  void partsOfAStrangerAreTakenOnlyOfAProvenRecord() throws Exception {
    Hash stored = fixture.append(1, WriterOptions.defaults()).getFirst();
    try (RawClient raw = new RawClient(fixture, null)) {
      Record unproven = raw.record(0, List.of(stored), new byte[1]);
      raw.expectError(ErrorCode.DENIED, "announced and proven", part(CommitPart.newBuilder()));
      raw.expectError(
          ErrorCode.DENIED,
          "is not proven",
          part(
              CommitPart.newBuilder()
                  .setAnnounced(Forgery.bytes(unproven.header().unsafeBytes()))));
    }
  }

  private static Request.Builder part(CommitPart.Builder part) {
    return Request.newBuilder().setCommit(part.setLeaves(Forgery.bytes(new byte[100])));
  }

  @Test
  void partsThatAreNotTheBodyAreRefused() throws Exception {
    Hash name = write().getFirst();
    AtomicLong parts = new AtomicLong();
    for (Meddling how : Meddling.values()) {
      meddler.alter(reply ->
          reply.hasBody()
              ? reply.toBuilder().setBody(how.with(reply.getBody(), parts)).build()
              : reply);
      try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
        refused(how.violation, how.words, () -> reader.read(name));
      }
    }
    assertThat(parts.get()).isPositive();
  }

  private enum Meddling {
    STUCK(Violation.MALFORMED, "leads nowhere"),
    ENDLESS(Violation.WRONG_BODY, "more than the body"),
    ALTERED(Violation.WRONG_BODY, "commits to"),
    MISSING(Violation.MISSING, "not its body"),
    ERASED(Violation.MISSING, "no statement of the owner");

    final Violation violation;
    final String words;

    Meddling(Violation violation, String words) {
      this.violation = violation;
      this.words = words;
    }

    BodyPart with(BodyPart part, AtomicLong parts) {
      parts.incrementAndGet();
      return switch (this) {
        case STUCK -> part.toBuilder().setNext(0).build();
        case ENDLESS ->
            part.toBuilder()
                .setLeaves(part.getLeaves().concat(Forgery.bytes(new byte[5000])))
                .build();
        case ALTERED -> {
          byte[] leaves = part.getLeaves().toByteArray();
          leaves[leaves.length - 1] ^= 1;
          yield part.toBuilder().setLeaves(Forgery.bytes(leaves)).build();
        }
        case MISSING -> BodyPart.newBuilder().setStatus(1).build();
        case ERASED -> BodyPart.newBuilder().setStatus(4).build();
      };
    }
  }
}
