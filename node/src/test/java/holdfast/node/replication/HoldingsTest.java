package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Bytes;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreBatch;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server says that it holds. */
class HoldingsTest {
  @TempDir Path folder;

  private final SigningKey owner = SigningKey.ofSeed(new byte[32]);

  private StoredCapsule oneRecord(CapsuleStore store) throws Exception {
    Metadata metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "owner")),
            "test",
            1,
            "",
            Bytes.wrap(new byte[16]),
            new TreeMap<>());
    StoredCapsule capsule = store.create(metadata, metadata.signCreation(owner));
    ContentKey key = new ContentKey(0, Secret.copyOf(new byte[32]));
    Record record =
        new Sealer(capsule.name(), 0, key, new byte[16]).seal(List.of(new byte[3]), 1, List.of());
    CompletableFuture<Boolean> stored = new CompletableFuture<>();
    store.submit(
        new StoreBatch(
            capsule,
            List.of(record),
            List.of(Statement.WriterSignature.sign(capsule.name(), record.name(), 0, owner)),
            512,
            new StoreBatch.Completion() {
              @Override
              public void received(List<Receipt.Entry> entries) {}

              @Override
              public void synced(List<Receipt.Entry> entries) {
                stored.complete(true);
              }

              @Override
              public void failed(HoldfastException reason) {
                stored.completeExceptionally(reason);
              }
            }));
    assertThat(stored.get(20, TimeUnit.SECONDS)).isTrue();
    return capsule;
  }

  /** A server that stops waits for whoever counts, which takes long where much is held. */
  @Test
  void countingEndsWhenNobodyWaitsForIt() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, StoreOptions.defaults())) {
      StoredCapsule capsule = oneRecord(store);
      Holdings holdings = new Holdings(owner);
      assertThat(holdings.sign(capsule, Hash.ZERO, () -> false).encode()).isNotEmpty();
      assertThatThrownBy(() -> holdings.sign(capsule, Hash.ZERO, () -> true))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.STOPPING));
    }
  }
}
