package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.capsule.Metadata;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server makes of one peer. */
class LinkTest {
  @TempDir Path folder;

  /** One record that nobody has must not make every round compare millions. */
  @Test
  void s5WhileCopiesAreWantedSomeRoundsAreOverEverythingTheFirstAtOnce() throws Exception {
    SigningKey owner = SigningKey.ofSeed(new byte[32]);
    Metadata metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "owner")),
            "test",
            1,
            "",
            Bytes.wrap(new byte[16]),
            new TreeMap<>());
    try (CapsuleStore store = CapsuleStore.open(folder, StoreOptions.defaults())) {
      StoredCapsule capsule = store.create(metadata, metadata.signCreation(owner));
      Link link =
          new Link(
              capsule, new Member(owner.verifyKey(), Endpoint.parse("127.0.0.1:1")), List.of());
      assertThat(link.asksForCopies(false)).isFalse();
      assertThat(Stream.generate(() -> link.asksForCopies(true)).limit(6))
          .containsExactly(true, false, false, false, true, false);
      assertThat(link.asksForCopies(false)).isFalse();
      assertThat(link.asksForCopies(true)).as("when copies are wanted anew").isTrue();
    }
  }
}
