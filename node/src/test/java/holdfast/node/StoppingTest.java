package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.capsule.Record;
import holdfast.store.StoredCapsule;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Watch;
import io.grpc.Status;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server that stops answers what it has taken in, and says to its clients that it stops. */
@Timeout(180)
class StoppingTest {
  @TempDir Path folder;
  private NodeFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = NodeFixture.start(folder);
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private static void expectTold(RawClient client) {
    assertThat(Status.fromThrowable(client.awaitEnd()).getDescription())
        .contains("the server is stopping");
  }

  @Test
  void sessionsThatAskForNothingEndAtOnce() {
    try (RawClient bare = RawClient.bare(fixture);
        RawClient writer = new RawClient(fixture, fixture.owner);
        RawClient watcher = new RawClient(fixture, null)) {
      bare.expectError(ErrorCode.INVALID, "no operation", Request.newBuilder());
      watcher.send(Request.newBuilder().setWatch(Watch.getDefaultInstance()));
      fixture.node.close();
      expectTold(bare);
      expectTold(writer);
      expectTold(watcher);
    }
  }

  @Test
  void whatWasTakenInIsAnsweredFirst() throws Exception {
    CountDownLatch holding = new CountDownLatch(1);
    CountDownLatch released = new CountDownLatch(1);
    StoredCapsule capsule = fixture.node.store().capsule(fixture.capsule);
    try (RawClient idle = new RawClient(fixture, fixture.second);
        RawClient writer = new RawClient(fixture, fixture.owner)) {
      Thread holder =
          Thread.ofPlatform()
              .start(() ->
                  capsule.withGraph(graph -> {
                    holding.countDown();
                    try {
                      return released.await(60, TimeUnit.SECONDS);
                    } catch (InterruptedException e) {
                      throw new AssertionError(e);
                    }
                  }));
      holding.await();
      Record record = writer.record(0, List.of(), new byte[100]);
      writer.send(writer.write(List.of(record), List.of(writer.sign(record.name()))));
      NodeFixture.eventually(
          "the batch is taken in", () -> fixture.node.store().pendingBytes() > 0);
      Thread stopping = Thread.ofPlatform().start(fixture.node::close);
      expectTold(idle);
      released.countDown();
      Reply reply = writer.next();
      assertThat(reply.hasReceipt()).as(reply.toString()).isTrue();
      expectTold(writer);
      holder.join();
      stopping.join();
    } finally {
      released.countDown();
    }
  }
}
