package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import holdfast.sync.Marker;
import holdfast.sync.Progress;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server makes of one peer. */
class LinkTest {
  private static final SigningKey OWNER = SigningKey.ofSeed(new byte[32]);

  @TempDir Path folder;

  private static StoredCapsule capsule(CapsuleStore store) throws Exception {
    Metadata metadata =
        new Metadata(
            OWNER.verifyKey(),
            List.of(new Metadata.Writer(OWNER.verifyKey(), "owner")),
            "test",
            1,
            "",
            Bytes.wrap(new byte[16]),
            new TreeMap<>());
    return store.create(metadata, metadata.signCreation(OWNER));
  }

  private static Link link(StoredCapsule capsule) {
    return new Link(
        capsule, new Member(OWNER.verifyKey(), Endpoint.parse("127.0.0.1:1")), List.of());
  }

  private static Meeting meeting(CapsuleStore store, StoredCapsule capsule) {
    Round round =
        new Round(
            new StoredReplica(capsule),
            true,
            RoundOptions.defaults(),
            List.of(),
            Hash.of(new byte[32]));
    Meeting.Ending none =
        new Meeting.Ending() {
          @Override
          public void finished(Marker marker, Progress progress) {}

          @Override
          public void lied(ProofException evidence) {}

          @Override
          public void failed(String reason) {}
        };
    ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    timer.shutdownNow();
    return new Meeting(store, capsule, round, Runnable::run, timer, new HeldBytes(64 << 20), none);
  }

  /** One record that nobody has must not make every round compare millions. */
  @Test
  void s5WhileCopiesAreWantedSomeRoundsAreOverEverythingTheFirstAtOnce() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, StoreOptions.defaults())) {
      Link link = link(capsule(store));
      assertThat(link.asksForCopies(false)).isFalse();
      assertThat(Stream.generate(() -> link.asksForCopies(true)).limit(6))
          .containsExactly(true, false, false, false, true, false);
      assertThat(link.asksForCopies(false)).isFalse();
      assertThat(link.asksForCopies(true)).as("when copies are wanted anew").isTrue();
    }
  }

  /** A link that stayed taken met nobody until the next start of the process. */
  @Test
  void aRoundIsOverAlsoWhenTheDatabaseRefusesToKeepIt() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, StoreOptions.defaults())) {
      StoredCapsule capsule = capsule(store);
      Link link = link(capsule);
      assertThat(link.take(meeting(store, capsule))).isTrue();
      Marker marker = new Marker(Hash.ZERO, 7, List.of());
      List<byte[]> kept = new ArrayList<>();
      link.finished(
          marker,
          new Progress(0, 0, 0, 0, 0, 0, 0),
          System.nanoTime(),
          state -> {
            kept.add(state);
            throw new HoldfastException(ErrorCode.INTERNAL, "no writes are taken");
          });
      assertThat(kept).hasSize(1);
      assertThat(link.markers()).containsExactly(marker);
      assertThat(link.due(System.nanoTime())).as("the next round is met").isTrue();
    }
  }
}
