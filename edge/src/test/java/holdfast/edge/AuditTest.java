package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.device.Batch;
import holdfast.device.Claim;
import holdfast.device.DeviceKey;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.Origin;
import holdfast.device.SignedClaim;
import holdfast.store.DerivedTable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * An audit against an edge that lies: it writes its capsule with its own key, and chooses the times
 * and the order of its records.
 */
class AuditTest {
  private static final Octets QUEUE = Octets.wrap(new byte[16]);
  private static final long NOW = 1_700_000_000_000L;

  @TempDir Path data;
  private EdgeFixture edge;
  private final DeviceKey key = DeviceKey.generate(EdgeFixture.RANDOM);
  private final DeviceKey stranger = DeviceKey.generate(EdgeFixture.RANDOM);

  @BeforeEach
  void start() throws Exception {
    edge = EdgeFixture.start(data);
  }

  @AfterEach
  void stop() {
    edge.close();
  }

  private EdgeLeaf.Device device(DeviceKey who, Octets signature, boolean enrolled) {
    return new EdgeLeaf.Device(NOW, "ann", "sensor", who.publicKey(), signature, enrolled);
  }

  private EdgeLeaf.Device device(boolean enrolled) {
    return device(key, key.signEnrolment("sensor", "ann"), enrolled);
  }

  private static Operation put(long sequence, String key) {
    return new Operation.Put(
        sequence, sequence, "home", key, "text/plain", Octets.wrap("x".getBytes(UTF_8)));
  }

  private static Batch batch(DeviceKey who, long first, Operation... operations) {
    return Batch.sign(
        who, QUEUE, first, first + operations.length - 1, List.of(), List.of(operations));
  }

  private static List<EdgeLeaf> leaves(SignedClaim signed, Operation... operations) {
    List<EdgeLeaf> leaves = new ArrayList<>();
    leaves.add(new EdgeLeaf.DeviceBatch("ann", "sensor", signed));
    for (Operation operation : operations) {
      leaves.add(new EdgeLeaf.Change("ann", "sensor", operation));
    }
    return leaves;
  }

  private static List<EdgeLeaf> leaves(Batch batch) {
    return leaves(batch.signed(), batch.operations().toArray(Operation[]::new));
  }

  private static SignedClaim unsigned(Batch batch) {
    byte[] signature = batch.signed().signature().toArray();
    signature[5] ^= 1;
    return new SignedClaim(batch.claim(), Octets.wrap(signature));
  }

  private Hash write(long timeMillis, List<EdgeLeaf> leaves) throws Exception {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity());
        CapsuleWriter writer =
            server.openWriter(
                edge.folder.capsule(),
                edge.folder.writer(),
                edge.folder.contentKeys().getLast(),
                WriterOptions.defaults())) {
      Hash name = writer.append(leaves.stream().map(EdgeLeaf::encode).toList(), timeMillis);
      writer.commitOrThrow();
      return name;
    }
  }

  private void write(long timeMillis, EdgeLeaf... leaves) throws Exception {
    write(timeMillis, Arrays.asList(leaves));
  }

  private EdgeAudit.Report audit(long fromMillis, @Nullable Long toMillis) throws Exception {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity());
        CapsuleReader reader =
            server.openReader(
                edge.folder.capsule(), edge.folder.contentKeys(), ReaderOptions.defaults())) {
      return EdgeAudit.run(reader, "sensor", fromMillis, toMillis);
    }
  }

  private EdgeAudit.Report audit() throws Exception {
    return audit(0, null);
  }

  // ---- The window -------------------------------------------------------------------------------

  @Test
  void aForeignClaimAtAnyTimeIsFoundOut() throws Exception {
    write(NOW, device(true));
    write(Long.MAX_VALUE, leaves(batch(stranger, 1, put(1, "a"))));
    for (EdgeAudit.Report report : List.of(audit(), audit(NOW, NOW + 1))) {
      assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.VIOLATED);
      assertThat(report.violations()).singleElement().asString().contains("not enrolled with");
    }
  }

  @Test
  void aForgedClaimAtAnyTimeHidesNoLostNumber() throws Exception {
    write(NOW, device(true));
    write(Long.MAX_VALUE, leaves(unsigned(batch(key, 1, put(1, "a"))), put(1, "a")));
    write(NOW, leaves(batch(key, 2, put(2, "b"))));
    EdgeAudit.Report report = audit(NOW, NOW + 1);
    assertThat(report.violations()).singleElement().asString().contains("not signed");
    assertThat(report.complete()).isFalse();
    assertThat(report.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "missing", 1, 1));
  }

  @Test
  void aChangeWithoutAClaimIsFoundOutAtAnyTime() throws Exception {
    write(NOW, device(true));
    write(Long.MAX_VALUE, new EdgeLeaf.Change("ann", "sensor", put(1, "a")));
    assertThat(audit(NOW, NOW + 1).violations()).singleElement().asString().contains("no claim");
  }

  @Test
  void theWindowLimitsWhatIsCounted() throws Exception {
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    write(NOW + 1, leaves(batch(key, 3, put(3, "c"))));
    EdgeAudit.Report early = audit(NOW, NOW + 1);
    assertThat(early.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(early.complete()).isTrue();
    assertThat(early.operations()).isEqualTo(1);
    EdgeAudit.Report late = audit(NOW + 1, NOW + 2);
    assertThat(late.operations()).isEqualTo(1);
    assertThat(late.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "missing", 2, 2));
  }

  @Test
  void withoutAWindowEveryTimeCounts() throws Exception {
    write(NOW, device(true));
    write(Long.MAX_VALUE, leaves(batch(key, 2, put(2, "b"))));
    EdgeAudit.Report report = audit();
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(report.batches()).isEqualTo(1);
    assertThat(report.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "missing", 1, 1));
  }

  // ---- The order --------------------------------------------------------------------------------

  @Test
  void aBatchThatIsHeldBackBehindALaterOneIsFoundOut() throws Exception {
    write(NOW, device(true));
    write(NOW + 2, leaves(batch(key, 2, put(2, "b"))));
    write(NOW + 1, leaves(batch(key, 1, put(1, "a"))));
    edge.restart(() -> DerivedTable.delete(data.resolve("view")));
    assertThat(edge.get(ANN, "/v1/kv/home/b").statusCode()).isEqualTo(200);
    assertThat(edge.get(ANN, "/v1/kv/home/a").statusCode()).isEqualTo(404);
    EdgeAudit.Report report = audit();
    assertThat(report.violations()).singleElement().asString().contains("took no effect");
    assertThat(report.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "missing", 1, 1));
  }

  /** The forged batch stands in the way of the genuine one, which the view passes over. */
  @Test
  void aBatchThatAForgedOneSuppressesIsMissing() throws Exception {
    write(NOW, device(true));
    write(NOW, leaves(batch(stranger, 1, put(1, "a"))));
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    EdgeAudit.Report report = audit();
    assertThat(report.violations())
        .hasSize(2)
        .anyMatch(one -> one.contains("not enrolled with"))
        .anyMatch(one -> one.contains("took no effect"));
    assertThat(report.complete()).isFalse();
  }

  @Test
  void theSameBatchAgainIsNoViolation() throws Exception {
    write(NOW, device(true));
    Batch first = batch(key, 1, put(1, "a"));
    write(NOW, leaves(first));
    write(NOW, leaves(batch(key, 2, put(2, "b"))));
    write(NOW, leaves(first));
    EdgeAudit.Report report = audit();
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(report.complete()).isTrue();
    assertThat(report.repeated()).isEqualTo(1);
    assertThat(report.operations()).isEqualTo(2);
  }

  // ---- The enrolment ----------------------------------------------------------------------------

  @Test
  void anEnrolmentThatTheKeyDidNotSignIsFoundOut() throws Exception {
    write(NOW, device(stranger, key.signEnrolment("sensor", "ann"), true));
    write(NOW, leaves(batch(stranger, 1, put(1, "a"))));
    assertThat(audit().violations())
        .singleElement()
        .asString()
        .contains("enrolment", "not signed by the key");
  }

  @Test
  void aLaterStateThatIsNotOfTheEnrolmentIsFoundOut() throws Exception {
    write(NOW, device(true));
    write(NOW, device(key, key.signEnrolment("sensor", "bob"), false));
    assertThat(audit().violations()).singleElement().asString().contains("other signature");
  }

  @Test
  void anotherKeyUnderTheNameIsFoundOut() throws Exception {
    write(NOW, device(true));
    write(NOW, device(stranger, stranger.signEnrolment("sensor", "ann"), true));
    write(NOW, leaves(batch(stranger, 1, put(1, "a"))));
    assertThat(audit().violations())
        .hasSize(2)
        .anyMatch(one -> one.contains("another key"))
        .anyMatch(one -> one.contains("not enrolled with"));
  }

  @Test
  void aBatchThatStandsWhereTheDeviceIsNotEnrolledIsFoundOut() throws Exception {
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 2, put(2, "b"))));
    write(NOW, device(false));
    write(NOW, leaves(batch(key, 3, put(3, "c"))));
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 4, put(4, "d"))));
    assertThat(audit().violations())
        .hasSize(2)
        .anyMatch(one -> one.contains("batch 1 to 1") && one.contains("before the device"))
        .anyMatch(one -> one.contains("batch 3 to 3") && one.contains("revoked"));
  }

  /** The edge can enrol a key of its own; the audit says which one it speaks of. */
  @Test
  void theReportNamesTheKeyOfTheDevice() throws Exception {
    write(NOW, device(stranger, stranger.signEnrolment("sensor", "ann"), true));
    assertThat(audit().key()).isEqualTo(stranger.publicKey().toHex());
  }

  // ---- From one count to the next ---------------------------------------------------------------

  private static final Octets LATER =
      Octets.wrap(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});

  /** The first batch of a queue that goes on from another. */
  private Batch begins(Octets queue, Origin origin) {
    List<Operation> operations = List.of(put(1, "later"));
    Claim claim =
        new Claim(key.publicKey(), queue, 1, 1, List.of(), 1, Batch.rootOf(operations), origin);
    return new Batch(SignedClaim.sign(key, claim), operations);
  }

  @Test
  void aCountThatEndsWhereTheNextSaysIsComplete() throws Exception {
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    write(NOW, leaves(begins(LATER, new Origin(Origin.Kind.CONTINUES, QUEUE, 1))));
    assertThat(audit().complete()).isTrue();
    assertThat(audit().unlinked()).isEmpty();
  }

  @Test
  void theEndOfAnOlderCountOrAllOfItIsMissing() throws Exception {
    Octets never = Octets.wrap(new byte[] {9, 9, 9, 9, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    write(NOW + 1, leaves(begins(LATER, new Origin(Origin.Kind.CONTINUES, QUEUE, 4))));
    write(NOW + 2, leaves(begins(never, new Origin(Origin.Kind.CONTINUES_AT_LEAST, LATER, 1))));
    EdgeAudit.Report report = audit();
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(report.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "missing", 2, 4));
    assertThat(report.complete()).isFalse();
    assertThat(report.unlinked()).singleElement().asString().contains("at least");
    Octets last = Octets.wrap(new byte[] {8, 9, 9, 9, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
    Octets gone = Octets.wrap(new byte[] {7, 9, 9, 9, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
    write(NOW + 3, leaves(begins(last, new Origin(Origin.Kind.CONTINUES, gone, 3))));
    assertThat(audit().gaps()).contains(new EdgeAudit.Gap(gone.toHex(), "missing", 1, 3));
  }

  @Test
  void whatTheDeviceCannotSayOfItsQueuesIsAVerdictOfItsOwn() throws Exception {
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    assertThat(audit().unlinked()).isEmpty();
    write(NOW + 1, leaves(begins(LATER, Origin.FIRST)));
    assertThat(audit().unlinked()).singleElement().asString().contains("each began as the first");
    Octets last = Octets.wrap(new byte[] {8, 9, 9, 9, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
    write(NOW + 2, leaves(begins(last, Origin.UNKNOWN)));
    assertThat(audit().unlinked()).hasSize(2).anyMatch(one -> one.contains("could not read"));
    assertThat(audit().complete()).isTrue();
  }

  // ---- What was erased --------------------------------------------------------------------------

  private void erase(Hash record, int leaf) throws Exception {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity())) {
      server.declare(
          Statement.Erasure.sign(
              edge.folder.capsule(),
              NOW,
              new Statement.Erased.OfLeaf(record, leaf),
              "asked for",
              edge.operator));
    }
  }

  @Test
  void besideAnErasedOperationTheNumbersAreStillChecked() throws Exception {
    write(NOW, device(true));
    Batch batch = batch(key, 1, put(1, "a"), put(2, "b"));
    erase(write(NOW, leaves(batch.signed(), put(1, "a"), put(3, "b"))), 1);
    assertThat(audit().violations()).singleElement().asString().contains("operation 3");
  }

  /** An erased enrolment is no reason to say that the edge, or the device, has done wrong. */
  @Test
  void batchesWhoseEnrolmentWasErasedAreJudgedByTheOneThatIsSaidAgain() throws Exception {
    Hash enrolled = write(NOW, List.<EdgeLeaf>of(device(true)));
    Hash first = write(NOW, leaves(batch(key, 1, put(1, "a"))));
    write(NOW, leaves(batch(key, 2, put(2, "b"))));
    erase(enrolled, 0);
    erase(first, 0);
    erase(first, 1);
    EdgeAudit.Report report = audit();
    assertThat(report.violations()).isEmpty();
    assertThat(report.key()).isEqualTo(key.publicKey().toHex());
    assertThat(report.gaps())
        .extracting(EdgeAudit.Gap::reason, EdgeAudit.Gap::first, EdgeAudit.Gap::last)
        .containsExactly(org.assertj.core.api.Assertions.tuple("erased or missing", 1L, 1L));
    write(NOW, device(stranger, stranger.signEnrolment("sensor", "ann"), true));
    assertThat(audit().violations()).singleElement().asString().contains("another key");
  }

  /** The device has signed the operations of a batch together. */
  @Test
  void whatIsLeftOfABatchCannotBeVerified() throws Exception {
    write(NOW, device(true));
    Batch batch = batch(key, 1, put(1, "a"), put(2, "b"), put(3, "c"));
    Hash record = write(NOW, leaves(batch.signed(), put(1, "a"), put(2, "altered"), put(3, "c")));
    assertThat(audit().integrity()).isEqualTo(EdgeAudit.Integrity.VIOLATED);
    erase(record, 2);
    write(NOW, leaves(batch(key, 4, put(4, "d"))));
    EdgeAudit.Report report = audit();
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(report.complete()).isTrue();
    assertThat(report.erased()).isEqualTo(1);
    assertThat(report.unverifiable()).isEqualTo(2);
    assertThat(report.operations()).isEqualTo(1);
  }

  /**
   * The device has signed its claim and its operations together; what is left is the edge's word.
   */
  @Test
  void operationsWhoseClaimAloneWasErasedCannotBeVerified() throws Exception {
    write(NOW, device(true));
    write(NOW, leaves(batch(key, 1, put(1, "a"))));
    Batch second = batch(key, 2, put(2, "b"), put(3, "c"));
    List<EdgeLeaf> together = new ArrayList<>(leaves(second));
    together.addAll(leaves(batch(key, 4, put(4, "d"))));
    Hash record = write(NOW, together);
    write(NOW, leaves(batch(key, 5, put(5, "e"))));
    erase(record, 0);
    EdgeAudit.Report report = audit();
    assertThat(report.violations()).isEmpty();
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(report.unverifiable()).isEqualTo(2);
    assertThat(report.operations()).isEqualTo(3);
    assertThat(report.gaps())
        .containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "erased or missing", 2, 3));
  }

  /** Only what stands directly behind an erased leaf may have lost its claim with it. */
  @Test
  void aChangeWithoutAClaimIsFoundOutBesideAnErasedLeaf() throws Exception {
    write(NOW, device(true));
    List<EdgeLeaf> lies = new ArrayList<>();
    lies.add(device(true));
    lies.addAll(leaves(batch(key, 1, put(1, "a"))));
    lies.add(new EdgeLeaf.Change("ann", "sensor", put(2, "b")));
    Hash record = write(NOW, lies);
    erase(record, 0);
    assertThat(audit().violations()).singleElement().asString().contains("no claim");
  }

  // ---- What the edge says again after an erasure ------------------------------------------------

  private static EdgeLeaf.LastTaken saidAgain(Batch batch) {
    Claim claim = batch.claim();
    return new EdgeLeaf.LastTaken(
        "sensor",
        claim.incarnation(),
        claim.first(),
        claim.last(),
        ViewUpdate.nameOf(claim),
        new Place(Hash.ZERO, 0));
  }

  /** Its view passes the batch over, and so does the audit. */
  @Test
  void anEdgeThatSaysItHadTakenABatchBeforeItComesIsFoundOut() throws Exception {
    write(NOW, device(true));
    Batch batch = batch(key, 1, put(1, "a"));
    write(NOW, saidAgain(batch));
    write(NOW, leaves(batch));
    edge.restart(() -> DerivedTable.delete(data.resolve("view")));
    assertThat(edge.get(ANN, "/v1/kv/home/a").statusCode()).isEqualTo(404);
    EdgeAudit.Report report = audit();
    assertThat(report.complete()).isFalse();
    assertThat(report.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "missing", 1, 1));
    assertThat(report.violations())
        .hasSize(2)
        .anyMatch(one -> one.contains("nothing was erased"))
        .anyMatch(one -> one.contains("took no effect") && one.contains("the edge says"));
  }

  /** An erasure anywhere is no excuse for what is passed over afterwards. */
  @Test
  void behindAnErasureTooABatchThatIsPassedOverIsNotThere() throws Exception {
    write(NOW, device(true));
    Hash other = write(NOW, List.of(new EdgeLeaf.Change("ann", "", put(0, "x"))));
    erase(other, 0);
    write(NOW, saidAgain(batch(key, 1, put(1, "a"), put(2, "b"))));
    write(NOW, leaves(batch(key, 2, put(2, "c"))));
    EdgeAudit.Report report = audit();
    assertThat(report.violations()).singleElement().asString().contains("took no effect");
    assertThat(report.operations()).isZero();
    assertThat(report.gaps())
        .containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "erased or missing", 1, 2));
  }

  /** What is said again of batches that are there, or were erased, is no reason to complain. */
  @Test
  void whatAnHonestEdgeSaysAgainChangesNoVerdict() throws Exception {
    write(NOW, device(true));
    Batch first = batch(key, 1, put(1, "a"));
    write(NOW, leaves(first));
    write(NOW, saidAgain(first));
    Batch second = batch(key, 2, put(2, "b"));
    write(NOW, leaves(second));
    assertThat(audit().integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(audit().complete()).isTrue();
    Batch third = batch(key, 3, put(3, "c"));
    Hash record = write(NOW, leaves(third));
    erase(record, 0);
    erase(record, 1);
    write(NOW, saidAgain(third));
    EdgeAudit.Report report = audit();
    assertThat(report.violations()).isEmpty();
    assertThat(report.operations()).isEqualTo(2);
    assertThat(report.gaps())
        .containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "erased or missing", 3, 3));
  }
}
