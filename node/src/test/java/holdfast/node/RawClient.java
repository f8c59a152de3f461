package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Possession;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.net.Connection;
import holdfast.testkit.Patience;
import holdfast.wire.Init;
import holdfast.wire.Level;
import holdfast.wire.Possess;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Write;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A client that speaks the protocol by hand and keeps to no rule of it. */
final class RawClient implements AutoCloseable {
  private final NodeFixture fixture;
  private final SigningKey key;
  private final Connection connection;
  private final LinkedBlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
  private final LinkedBlockingQueue<Throwable> ends = new LinkedBlockingQueue<>();
  private final ClientCallStreamObserver<Request> out;
  private long ids;

  /** A session on the fixture's capsule; with a writer's key it shows that it holds it. */
  RawClient(NodeFixture fixture, @Nullable SigningKey writer) {
    this(fixture, writer, connect(fixture), true);
    init(fixture.capsule);
    if (writer != null) {
      possess(writer);
    }
  }

  private RawClient(
      NodeFixture fixture, @Nullable SigningKey writer, Connection connection, boolean reads) {
    this.fixture = fixture;
    this.key = writer == null ? fixture.stranger : writer;
    this.connection = connection;
    this.out = connection.open(new Replies(reads));
  }

  private static Connection connect(NodeFixture fixture) {
    return Connection.to(fixture.node.endpoint(), Connection.Pin.exactly(fixture.node.identity()));
  }

  private final class Replies implements ClientResponseObserver<Request, Reply> {
    private final boolean reads;

    Replies(boolean reads) {
      this.reads = reads;
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<Request> requests) {
      if (!reads) {
        requests.disableAutoRequestWithInitial(0);
      }
    }

    @Override
    public void onNext(Reply reply) {
      replies.add(reply);
    }

    @Override
    public void onError(Throwable failure) {
      ends.add(failure);
    }

    @Override
    public void onCompleted() {
      ends.add(new AssertionError("the server ended the session"));
    }
  }

  /** A session that never reads what the server says. */
  static RawClient deaf(NodeFixture fixture) {
    return new RawClient(fixture, null, connect(fixture), false);
  }

  Request.Builder initOf(Hash capsule) {
    return Request.newBuilder()
        .setInit(
            Init.newBuilder()
                .setCapsule(ByteString.copyFrom(capsule.toBytes()))
                .setClientNonce(ByteString.copyFrom(new byte[32])));
  }

  /** A session that has chosen no capsule. */
  static RawClient bare(NodeFixture fixture) {
    return new RawClient(fixture, null, connect(fixture), true);
  }

  private Hash clientNonce = Hash.ZERO;
  private Hash serverNonce = Hash.ZERO;

  void init(Hash capsule) {
    byte[] nonce = new byte[32];
    NodeFixture.RANDOM.nextBytes(nonce);
    clientNonce = Hash.of(nonce);
    Reply reply =
        call(
            Request.newBuilder()
                .setInit(
                    Init.newBuilder()
                        .setCapsule(ByteString.copyFrom(capsule.toBytes()))
                        .setClientNonce(ByteString.copyFrom(nonce))
                        .setCacheEntries(1000)));
    assertThat(reply.hasOpened()).as(reply.toString()).isTrue();
    serverNonce = Hash.of(reply.getOpened().getServerNonce().toByteArray());
  }

  private void possess(SigningKey writer) {
    int index = fixture.metadata.indexOf(writer.verifyKey());
    Reply reply = call(possession(index, writer));
    assertThat(reply.hasDone()).as(reply.toString()).isTrue();
  }

  Request.Builder possession(int index, SigningKey by) {
    byte[] proof =
        Possession.prove(
            by, fixture.node.identity(), fixture.capsule, clientNonce, serverNonce, null);
    return Request.newBuilder()
        .setPossess(Possess.newBuilder().setWriter(index).setSignature(ByteString.copyFrom(proof)));
  }

  long send(Request.Builder request) {
    long id = ++ids;
    out.onNext(request.setId(id).build());
    return id;
  }

  Reply call(Request.Builder request) {
    send(request);
    return next();
  }

  Reply next() {
    try {
      Reply reply = replies.poll(Patience.SECONDS, TimeUnit.SECONDS);
      if (reply == null) {
        throw new AssertionError("no reply came", ends.poll());
      }
      return reply;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Whether a reply has come that nobody has looked at. */
  boolean answered() {
    return !replies.isEmpty();
  }

  /** The way in which the server ended the session. */
  Throwable awaitEnd() {
    try {
      Throwable end = ends.poll(Patience.SECONDS, TimeUnit.SECONDS);
      if (end == null) {
        throw new AssertionError("the session goes on");
      }
      return end;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Expects an error of this kind with these words; nothing else may come. */
  void expectError(ErrorCode code, String words, Request.Builder request) {
    Reply reply = call(request);
    assertThat(reply.hasError()).as(reply.toString()).isTrue();
    assertThat(ErrorCode.of(reply.getError().getCode())).as(reply.toString()).isEqualTo(code);
    assertThat(reply.getError().getMessage()).contains(words);
  }

  Reply expectReceipt(Request.Builder request) {
    Reply reply = call(request);
    assertThat(reply.hasReceipt()).as(reply.toString()).isTrue();
    return reply;
  }

  /** A record that names a writer, sealed with some key. */
  Record record(int writer, List<Hash> pointers, byte[]... leaves) {
    return record(fixture.capsule, writer, pointers, leaves);
  }

  static Record record(Hash capsule, int writer, List<Hash> pointers, byte[]... leaves) {
    byte[] salt = new byte[RecordHeader.SALT_SIZE];
    NodeFixture.RANDOM.nextBytes(salt);
    return new Sealer(
            capsule, writer, new ContentKey(0, holdfast.crypto.Secret.copyOf(new byte[32])), salt)
        .seal(List.of(leaves), 1, pointers);
  }

  Statement sign(Hash record) {
    int index = Math.max(0, fixture.metadata.indexOf(key.verifyKey()));
    return Statement.WriterSignature.sign(fixture.capsule, record, index, key);
  }

  Request.Builder write(List<Record> records, List<Statement> statements) {
    return write(Record.encodeAll(records), statements);
  }

  static Request.Builder write(byte[] records, List<Statement> statements) {
    Write.Builder write =
        Write.newBuilder().setRecords(ByteString.copyFrom(records)).setLevel(Level.SYNCED);
    statements.forEach(s -> write.addSignatures(ByteString.copyFrom(s.encode())));
    return Request.newBuilder().setWrite(write);
  }

  @Override
  public void close() {
    out.cancel("done", null);
    connection.close();
  }
}
