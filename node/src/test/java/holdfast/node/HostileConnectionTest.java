package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Record;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import holdfast.testkit.Patience;
import holdfast.wire.CommitPart;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Bytes that are no protocol, clients that do not read, and more of everything than fits. */
@Timeout(Patience.TEST_SECONDS)
@SuppressWarnings({
  "AddressSelection",
  "ModifiedButNotUsed"
}) // loopback; what is held keeps it open
class HostileConnectionTest {
  private static final int SESSIONS = 20;

  /** Of what is garbage: each run the same. */
  private static final long SEED = 51;

  /** Less than the 20 s after which a server ends any connection that got no further. */
  private static final int HANGS_UP_WITHIN_MILLIS = 15_000;

  @TempDir Path folder;
  private NodeFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = NodeFixture.start(folder, HostileConnectionTest::small);
  }

  /** A node that takes little. */
  private static NodeOptions small(NodeOptions of) {
    StoreOptions store = of.store();
    return new NodeOptions(
        of.data(),
        of.endpoint(),
        of.http(),
        of.owners(),
        3,
        SESSIONS,
        1000,
        4 << 20,
        4 << 20,
        of.scrubBytesPerSecond(),
        new StoreOptions(
            store.blockCacheBytes(),
            store.recordCacheBytes(),
            store.memtableBytes(),
            200_000,
            store.reserveBytes(),
            store.graphBlocks(),
            store.capsuleBytes(),
            store.ownerBytes()),
        of.replication(),
        of.heartbeatMillis());
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private void expectServedAndClean(long records) throws Exception {
    List<Hash> names = fixture.append(2, WriterOptions.defaults());
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    }
    fixture.expectClean(records + 2);
  }

  // ---- Raw bytes --------------------------------------------------------------------------------

  private Socket plain() throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), fixture.node.endpoint().port());
    socket.setSoTimeout(HANGS_UP_WITHIN_MILLIS);
    return socket;
  }

  /**
   * Sends bytes and waits until the server hangs up; what it says until then is an alert of TLS.
   */
  private static void expectRefusedByTls(Socket socket, byte[]... all) throws IOException {
    byte[] said = expectHangUp(socket, all);
    if (said.length > 0) {
      assertThat(said[0]).as(new String(said, UTF_8)).isEqualTo((byte) 0x15);
    }
  }

  /** Sends bytes and waits until the server hangs up; what it has said until then. */
  private static byte[] expectHangUp(Socket socket, byte[]... all) throws IOException {
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    try (socket) {
      for (byte[] bytes : all) {
        socket.getOutputStream().write(bytes);
        socket.getOutputStream().flush();
      }
      InputStream in = socket.getInputStream();
      byte[] buffer = new byte[4096];
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        said.write(buffer, 0, read);
      }
    } catch (java.net.SocketTimeoutException e) {
      throw new AssertionError("the server keeps a connection that makes no sense", e);
    } catch (IOException e) {
      // Reset by the server.
    }
    return said.toByteArray();
  }

  @Test
  void i9GarbageAndPlaintextOnThePort() throws Exception {
    byte[] garbage = new byte[100_000];
    new Random(SEED).nextBytes(garbage);
    expectRefusedByTls(plain(), garbage);
    expectRefusedByTls(plain(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(UTF_8));
    expectRefusedByTls(plain(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(UTF_8), new byte[1000]);
    expectServedAndClean(0);
  }

  private SSLSocket tls(String protocol) throws Exception {
    TrustManager trusting =
        new X509TrustManager() {
          @Override
          public void checkClientTrusted(X509Certificate[] chain, String type) {}

          @Override
          public void checkServerTrusted(X509Certificate[] chain, String type) {}

          @Override
          public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
          }
        };
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, new TrustManager[] {trusting}, null);
    SSLSocket socket =
        (SSLSocket)
            context.getSocketFactory().createSocket("127.0.0.1", fixture.node.endpoint().port());
    socket.setSoTimeout(HANGS_UP_WITHIN_MILLIS);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setProtocols(new String[] {protocol});
    parameters.setApplicationProtocols(new String[] {"h2"});
    socket.setSSLParameters(parameters);
    return socket;
  }

  @Test
  void olderTlsIsRefused() throws Exception {
    try (SSLSocket socket = tls("TLSv1.2")) {
      org.assertj.core.api.Assertions.assertThatThrownBy(socket::startHandshake)
          .isInstanceOf(IOException.class);
    }
    expectServedAndClean(0);
  }

  @Test
  void garbageFramesWithinTls() throws Exception {
    byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(UTF_8);
    byte[] settings = new byte[9];
    settings[3] = 4;
    byte[] garbage = new byte[10_000];
    new Random(SEED).nextBytes(garbage);
    expectHangUp(tls("TLSv1.3"), garbage);
    expectHangUp(tls("TLSv1.3"), preface, garbage);
    // A frame that announces 16 MiB.
    expectHangUp(
        tls("TLSv1.3"), preface, settings, new byte[] {-1, -1, -1, 0, 0, 0, 0, 0, 1}, garbage);
    expectServedAndClean(0);
  }

  @Test
  void messageBeyondTheLimit() throws Exception {
    try (RawClient raw = new RawClient(fixture, fixture.owner)) {
      raw.send(
          Request.newBuilder()
              .setCommit(
                  CommitPart.newBuilder().setLeaves(ByteString.copyFrom(new byte[25 << 20]))));
      assertThat(raw.awaitEnd()).isInstanceOf(io.grpc.StatusRuntimeException.class);
    }
    expectServedAndClean(0);
  }

  // ---- More than fits ---------------------------------------------------------------------------

  @Test
  void moreSessionsThanAllowed() throws Exception {
    List<RawClient> open = new ArrayList<>();
    try {
      for (int i = 0; i < SESSIONS; i++) {
        open.add(new RawClient(fixture, null));
      }
      try (RawClient extra = RawClient.bare(fixture)) {
        assertThat(extra.awaitEnd()).hasMessageContaining("all the sessions it takes");
      }
      try (Server server = fixture.connect()) {
        assertThatThrownBy(server::status)
            .hasMessageContaining("all the sessions it takes")
            .extracting(failure -> ((HoldfastException) failure).code())
            .isEqualTo(ErrorCode.BUSY);
      }
    } finally {
      open.forEach(RawClient::close);
    }
    NodeFixture.eventually("sessions are given back", () -> metric("holdfast_sessions") == 0);
    expectServedAndClean(0);
  }

  @Test
  void moreCapsulesThanAllowed() throws Exception {
    fixture.create("second");
    fixture.create("third");
    org.assertj.core.api.Assertions.assertThatThrownBy(() -> fixture.create("fourth"))
        .hasMessageContaining("has all the capsules it may have here: 3");
    expectServedAndClean(0);
  }

  @Test
  void D36_partsBeyondTheStagingLimitAreRefusedAsBusyAndGivenBack() throws Exception {
    Request.Builder part =
        Request.newBuilder()
            .setCommit(CommitPart.newBuilder().setLeaves(ByteString.copyFrom(new byte[3 << 20])));
    try (RawClient second = new RawClient(fixture, fixture.second)) {
      try (RawClient first = new RawClient(fixture, fixture.owner)) {
        assertThat(first.call(part).hasDone()).isTrue();
        // It is answered before its room is given back.
        NodeFixture.eventually(
            "the room is given back", () -> metric("holdfast_inbound_bytes") == 0);
        second.expectError(ErrorCode.BUSY, "too many large records", part);
        // What follows belongs to the same record; it is refused too, not taken for another.
        Record record = second.record(1, List.of(), new byte[100]);
        second.expectError(
            ErrorCode.BUSY,
            "too many large records",
            Request.newBuilder()
                .setCommit(
                    CommitPart.newBuilder()
                        .setLeaves(ByteString.copyFrom(record.body().unsafeBytes()))
                        .setHeader(ByteString.copyFrom(record.header().unsafeBytes()))));
      }
      NodeFixture.eventually("the room is given back", () -> second.call(part).hasDone());
    }
    expectServedAndClean(0);
  }

  @Test
  void strangersLeaveRoomForTheLargeRecordsOfWriters() throws Exception {
    ByteString known;
    try (RawClient writer = new RawClient(fixture, fixture.owner);
        RawClient stranger = new RawClient(fixture, null);
        RawClient another = new RawClient(fixture, null)) {
      Record proven = writer.record(0, List.of(), new byte[1]);
      writer.expectReceipt(writer.write(List.of(proven), List.of(writer.sign(proven.name()))));
      known = ByteString.copyFrom(proven.header().unsafeBytes());
      Request.Builder part =
          Request.newBuilder()
              .setCommit(
                  CommitPart.newBuilder()
                      .setAnnounced(known)
                      .setLeaves(ByteString.copyFrom(new byte[3 << 19])));
      assertThat(stranger.call(part).hasDone()).isTrue();
      another.expectError(ErrorCode.BUSY, "too many large records", part);
      assertThat(writer.call(part).hasDone()).isTrue();
    }
    expectServedAndClean(1);
  }

  /** Lets nothing be committed until it is released; holds when it returns. */
  private Thread holdUp(CountDownLatch released) throws Exception {
    CountDownLatch holding = new CountDownLatch(1);
    StoredCapsule capsule = fixture.node.store().capsule(fixture.capsule);
    Thread holder =
        Thread.ofPlatform()
            .start(() ->
                capsule.withGraph(graph -> {
                  holding.countDown();
                  try {
                    return released.await(Patience.SECONDS, TimeUnit.SECONDS);
                  } catch (InterruptedException e) {
                    throw new AssertionError(e);
                  }
                }));
    holding.await();
    return holder;
  }

  @Test
  void aFloodFromManySessionsMeetsBusyAndTheHonestWriterSucceeds() throws Exception {
    int sessions = 6;
    int flood = 40;
    List<RawClient> raws = new ArrayList<>();
    try (CapsuleWriter honest = fixture.writer(WriterOptions.defaults().withBatchRecords(20))) {
      List<Record> records = new ArrayList<>();
      for (int s = 0; s < sessions; s++) {
        raws.add(new RawClient(fixture, fixture.second));
      }
      CountDownLatch released = new CountDownLatch(1);
      Thread holder = holdUp(released);
      for (int i = 0; i < flood; i++) {
        for (RawClient raw : raws) {
          Record record = raw.record(1, List.of(), new byte[100_000]);
          records.add(record);
          raw.send(raw.write(List.of(record), List.of()));
        }
      }
      // Nothing is committed yet, so what is answered is refused.
      NodeFixture.eventually(
          "it is more than fits", () -> raws.stream().anyMatch(RawClient::answered));
      released.countDown();
      holder.join();
      List<Hash> names = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        names.add(honest.append(new byte[500]));
      }
      assertThat(honest.commitOrThrow()).hasSize(10);
      int stored = 0;
      int busy = 0;
      for (RawClient raw : raws) {
        for (int answered = 0; answered < flood; ) {
          Reply reply = raw.next();
          if (reply.hasReceipt()) {
            stored += reply.getReceipt().getIdsCount();
            answered += reply.getReceipt().getIdsCount();
          } else {
            assertThat(ErrorCode.of(reply.getError().getCode())).isEqualTo(ErrorCode.BUSY);
            assertThat(reply.getError().getRetryAfterMillis()).isPositive();
            busy++;
            answered++;
          }
        }
      }
      assertThat(busy).isPositive();
      assertThat(fixture.records()).isEqualTo(200 + stored);
      try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
        assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
        assertThat(reader.readHeaders(records.stream().map(Record::name).toList()))
            .filteredOn(r -> !(r instanceof ReadResult.Absent))
            .hasSize(stored);
      }
      expectServedAndClean(200 + stored);
    } finally {
      raws.forEach(RawClient::close);
    }
  }

  /** While nothing can be committed, a session gets no further than its share. */
  @Test
  void oneSessionIsHeldBackAtItsShareAndOthersFindRoom() throws Exception {
    int greed = 40;
    CountDownLatch released = new CountDownLatch(1);
    try (RawClient greedy = new RawClient(fixture, fixture.second);
        RawClient modest = new RawClient(fixture, fixture.owner)) {
      Thread holder = holdUp(released);
      for (int i = 0; i < greed; i++) {
        Record record = greedy.record(1, List.of(), new byte[10_000]);
        greedy.send(greedy.write(List.of(record), List.of()));
      }
      NodeFixture.eventually(
          "the greedy session has its share", () -> metric("holdfast_pending_bytes") >= 50_000);
      for (int i = 0; i < 10; i++) {
        Record record = modest.record(0, List.of(), new byte[1000]);
        modest.send(modest.write(List.of(record), List.of(modest.sign(record.name()))));
      }
      NodeFixture.eventually(
          "the modest session's batches are taken in",
          () -> metric("holdfast_pending_bytes") >= 50_000 + 10 * 2000);
      assertThat(metric("holdfast_pending_bytes")).isLessThan(50_000 + 11_000 + 10 * 3000);
      released.countDown();
      holder.join();
      expectReceipts(modest, 10);
      expectReceipts(greedy, greed);
      NodeFixture.eventually("all of it is durable", () -> metric("holdfast_pending_bytes") == 0);
    } finally {
      released.countDown();
    }
    expectServedAndClean(greed + 10);
  }

  private static void expectReceipts(RawClient of, int count) {
    for (int answered = 0; answered < count; ) {
      Reply reply = of.next();
      assertThat(reply.hasReceipt()).as(reply.toString()).isTrue();
      answered += reply.getReceipt().getIdsCount();
    }
  }

  @Test
  void aLargeMessageBeyondTheBudgetEndsItsStreamAndNoOther() throws Exception {
    Request.Builder large =
        Request.newBuilder()
            .setCommit(CommitPart.newBuilder().setLeaves(ByteString.copyFrom(new byte[6 << 20])));
    try (RawClient honest = new RawClient(fixture, fixture.owner);
        RawClient greedy = new RawClient(fixture, fixture.second)) {
      greedy.send(large);
      assertThat(greedy.awaitEnd()).hasMessageContaining("more large messages");
      honest.expectReceipt(
          honest.write(List.of(honest.record(0, List.of(), new byte[90_000])), List.of()));
      NodeFixture.eventually("the room is given back", () -> metric("holdfast_inbound_bytes") == 0);
    }
    expectServedAndClean(1);
  }

  @Test
  void stoppingInTheMiddleOfAFloodLosesNothingAcknowledged() throws Exception {
    List<Record> records = new ArrayList<>();
    int acknowledged = 0;
    try (RawClient raw = new RawClient(fixture, fixture.second)) {
      for (int i = 0; i < 50; i++) {
        Record record = raw.record(1, List.of(), new byte[1000]);
        records.add(record);
        raw.send(raw.write(List.of(record), List.of(raw.sign(record.name()))));
      }
      acknowledged = raw.next().getReceipt().getIdsCount();
      fixture.restart();
    }
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(
              reader.readAll(records.subList(0, acknowledged).stream().map(Record::name).toList()))
          .allMatch(r -> r instanceof ReadResult.Proven);
    }
    expectServedAndClean(fixture.records());
  }

  @Test
  void clientThatNeverReadsIsNotReadFromEither() throws Exception {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = fixture.writer(WriterOptions.defaults())) {
      for (int i = 0; i < 8; i++) {
        names.add(writer.append(new byte[500_000]));
      }
      writer.commitOrThrow();
    }
    try (RawClient raw = RawClient.deaf(fixture)) {
      Request.Builder read =
          Request.newBuilder().setRead(Read.newBuilder().setNames(Session.concat(names)));
      raw.send(raw.initOf(fixture.capsule));
      for (int i = 0; i < 500; i++) {
        raw.send(read.clone());
      }
      // 2 GB of answers are asked for. The server makes as many as the connection takes up, and
      // then takes in nothing more; the honest are served meanwhile.
      NodeFixture.eventually(
          "some answers are made", () -> metric("holdfast_records_read_total") >= 16);
      double before = -1000;
      double now = metric("holdfast_records_read_total");
      while (now - before >= names.size()) {
        before = now;
        // Reads a head or two itself.
        fixture.append(1, WriterOptions.defaults());
        now = metric("holdfast_records_read_total");
      }
      assertThat(before).isLessThan(8 * 40);
    }
    expectServedAndClean(fixture.records());
  }

  private double metric(String name) {
    try (HttpClient http = HttpClient.newHttpClient()) {
      String all =
          http.send(
                  HttpRequest.newBuilder(
                          URI.create("http://127.0.0.1:" + fixture.node.httpPort() + "/metrics"))
                      .build(),
                  HttpResponse.BodyHandlers.ofString())
              .body();
      return all.lines()
          .filter(line -> line.startsWith(name + " "))
          .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
          .findFirst()
          .orElseThrow(() -> new AssertionError("no metric " + name + " in\n" + all));
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
