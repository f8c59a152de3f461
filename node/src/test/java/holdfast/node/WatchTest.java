package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.Subscription;
import holdfast.client.WriterOptions;
import holdfast.net.Endpoint;
import holdfast.testkit.Patience;
import holdfast.testkit.Ports;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A watch takes in no more than it can use, and goes on where it was when it is interrupted. */
@Timeout(Patience.TEST_SECONDS)
class WatchTest {
  @TempDir Path folder;

  private static void hear(Subscription watch, List<Hash> heard) {
    try {
      for (ReadResult result : watch.poll(50)) {
        assertThat(result).isInstanceOf(ReadResult.Proven.class);
        heard.add(result.name());
      }
    } catch (HoldfastException e) {
      assertThat(e.code()).isIn(ErrorCode.UNREACHABLE, ErrorCode.STOPPING);
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  private static List<Hash> hearAll(Subscription watch, int count) {
    List<Hash> heard = new ArrayList<>();
    NodeFixture.eventually(
        "all records are heard of",
        () -> {
          hear(watch, heard);
          return heard.size() >= count;
        });
    hear(watch, heard);
    return heard;
  }

  /** The place for what came and was not polled is small: a stream that is not held back breaks. */
  @Test
  void aSlowConsumerHoldsTheServerBackAndMissesNothing() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder);
        Meddler meddler = Meddler.of(fixture);
        var server = holdfast.client.Server.at(meddler.endpoint(), meddler.identity())) {
      List<Hash> names = fixture.append(3000, WriterOptions.defaults());
      AtomicInteger pages = new AtomicInteger();
      meddler.alter(reply -> {
        pages.addAndGet(reply.hasPage() ? 1 : 0);
        return reply;
      });
      try (CapsuleReader reader =
              server.openReader(fixture.capsule, List.of(), ReaderOptions.withoutCache());
          Subscription watch = reader.watch(0)) {
        NodeFixture.eventually("all pages were sent", () -> pages.get() >= 3000 / 256);
        // The reader's own questions are answered while the watch waits.
        assertThat(reader.read(names.get(1))).isInstanceOf(ReadResult.Proven.class);
        assertThat(hearAll(watch, names.size())).isEqualTo(names);
        assertThat(watch.next()).isEqualTo(3000);
        assertThat(meddler.opened.get()).as("neither session was opened again").isEqualTo(2);
      }
    }
  }

  @Test
  void aWatchGoesOnAfterTheServerWasRestarted() throws Exception {
    Endpoint same = new Endpoint("127.0.0.1", Ports.free());
    try (NodeFixture fixture =
        NodeFixture.start(
            folder, any -> NodeOptions.of(folder, same, NodeFixture.ANYWHERE, Set.of()))) {
      try (var server = fixture.connect();
          CapsuleReader reader =
              server.openReader(fixture.capsule, List.of(), ReaderOptions.defaults());
          Subscription watch = reader.watch(0)) {
        List<Hash> names = new ArrayList<>(fixture.append(300, WriterOptions.defaults()));
        List<Hash> heard = hearAll(watch, 300);
        // One is not proven when the server stops; what comes after it is.
        CapsuleWriter writer =
            fixture.writer(WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand()));
        Hash late = writer.append("late".getBytes(UTF_8));
        writer.commitOrThrow();
        try (CapsuleWriter second =
            fixture.server.openWriter(
                fixture.capsule, fixture.second, fixture.contentKey, WriterOptions.defaults())) {
          names.add(second.append("beside".getBytes(UTF_8)));
          second.commitOrThrow();
        }
        heard.addAll(hearAll(watch, 1));
        assertThat(heard).isEqualTo(names);
        assertThat(watch.unproven()).containsExactly(late);
        fixture.node.close();
        hear(watch, heard);
        fixture.restart();
        writer = fixture.writer(WriterOptions.defaults());
        names.add(writer.append("after".getBytes(UTF_8)));
        writer.commitOrThrow();
        writer.close();
        heard.addAll(hearAll(watch, 1));
        assertThat(heard).isEqualTo(names);
        assertThat(watch.unproven()).containsExactly(late);
        try (RawClient raw = new RawClient(fixture, fixture.owner)) {
          raw.expectReceipt(raw.write(List.of(), List.of(raw.sign(late))));
        }
        names.add(late);
        heard.addAll(hearAll(watch, 1));
        assertThat(heard).isEqualTo(names);
        assertThat(watch.unproven()).isEmpty();
      }
    }
  }
}
