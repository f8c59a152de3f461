package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import holdfast.base.Bytes;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.ContentKey;
import holdfast.client.CapsuleWriter;
import holdfast.client.KeyValueCapsule;
import holdfast.client.ReplicationOptions;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** D53, D24: a key-value store over a capsule on three servers, which do not repair each other. */
@Timeout(Patience.TEST_SECONDS)
class ReplicatedKeyValueTest {
  private static final Bytes KEY = Bytes.utf8("key");

  @TempDir Path folder;
  private PlacedFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = new PlacedFixture(folder);
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private KeyValueCapsule open(SigningKey writer) throws Exception {
    return KeyValueCapsule.open(
        fixture.replicas, writer, fixture.first.contentKey, ReplicationOptions.majority());
  }

  @Test
  void D53_whatAMajorityAcknowledgedIsFoundWhicheverServerIsGone() throws Exception {
    try (KeyValueCapsule store = open(fixture.first.owner)) {
      store.put(KEY, Bytes.utf8("first"));
      store.sign();
      fixture.down(0);
      store.put(KEY, Bytes.utf8("second"));
      store.put(Bytes.utf8("other"), Bytes.utf8("1"));
      store.sign();
      assertThat(store.get(KEY)).contains(Bytes.utf8("second"));
    }
    for (int gone = 1; gone <= 2; gone++) {
      fixture.up(0);
      fixture.up(3 - gone);
      fixture.down(gone);
      // Of the two that answer, the first knows nothing of the second change.
      try (KeyValueCapsule store = open(fixture.first.owner)) {
        assertThat(store.get(KEY)).contains(Bytes.utf8("second"));
        assertThat(store.size()).isEqualTo(2);
        assertThat(store.history(KEY)).hasSize(2);
      }
    }
  }

  @Test
  void withTooFewServersItIsNotSaidThatNothingIsThere() throws Exception {
    try (KeyValueCapsule store = open(fixture.first.owner)) {
      store.put(KEY, Bytes.utf8("value"));
      store.sign();
      fixture.down(1);
      fixture.down(2);
      assertThatThrownBy(store::refresh)
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE));
      // What is known can be read from the one that is left.
      assertThat(store.get(KEY)).contains(Bytes.utf8("value"));
      fixture.up(1);
      fixture.up(2);
      store.refresh();
    }
  }

  @Test
  void twoWritersSeeEachOthersChangesAlthoughAServerMissesThem() throws Exception {
    try (KeyValueCapsule one = open(fixture.first.owner);
        KeyValueCapsule two = open(fixture.first.second)) {
      List<Integer> servers = List.of(0, 1, 2);
      for (int round = 0; round < 6; round++) {
        int gone = servers.get(round % 3);
        fixture.down(gone);
        KeyValueCapsule writes = round % 2 == 0 ? one : two;
        KeyValueCapsule reads = round % 2 == 0 ? two : one;
        Bytes value = Bytes.utf8("round " + round);
        writes.put(KEY, value);
        writes.sign();
        fixture.up(gone);
        fixture.down((gone + 1) % 3);
        reads.refresh();
        assertThat(reads.get(KEY)).contains(value);
        fixture.up((gone + 1) % 3);
      }
    }
  }

  @Test
  void whatAWriterMadeUnreadableIsPassedOverAndNoServerIsBlamedForIt() throws Exception {
    try (KeyValueCapsule store = open(fixture.first.owner)) {
      store.put(KEY, Bytes.utf8("good"));
      store.sign();
    }
    byte[] put = {1, 0, 1, 'k', 'v'};
    byte[] noChange = {9, 0, 1, 'k'};
    Hash mixed = append(fixture.first.contentKey, List.of(noChange, put, new byte[0]), 5);
    ContentKey wrong = new ContentKey(0, Secret.copyOf(NodeFixture.RANDOM.generateSeed(32)));
    Hash sealed = append(wrong, List.of(put, put), Long.MAX_VALUE);
    try (KeyValueCapsule store = open(fixture.first.owner)) {
      assertThat(store.get(KEY)).contains(Bytes.utf8("good"));
      assertThat(store.get(Bytes.utf8("k"))).contains(Bytes.utf8("v"));
      assertThat(store.history(KEY)).hasSize(1);
      store.put(KEY, Bytes.utf8("better"));
      store.sign();
      store.refresh();
      assertThat(store.get(KEY)).contains(Bytes.utf8("better"));
      assertThat(store.unreadable())
          .extracting(
              KeyValueCapsule.Unreadable::record,
              KeyValueCapsule.Unreadable::writer,
              KeyValueCapsule.Unreadable::leaves)
          .containsExactlyInAnyOrder(tuple(mixed, 1, 2), tuple(sealed, 1, 2));
    }
  }

  /** Appends a record by the second writer, signed, on all servers. */
  private Hash append(ContentKey key, List<byte[]> leaves, long timeMillis) throws Exception {
    try (CapsuleWriter writer =
        fixture.replicas.openWriter(
            fixture.first.second,
            key,
            PlacedFixture.each(),
            ReplicationOptions.majority().withNeeded(3))) {
      Hash name = writer.append(leaves, timeMillis);
      writer.commitOrThrow();
      return name;
    }
  }
}
