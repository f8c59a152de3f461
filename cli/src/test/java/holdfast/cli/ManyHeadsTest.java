package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.node.Node;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreBatch;
import holdfast.store.StoreOptions;
import holdfast.testkit.Patience;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A capsule that has more heads than an answer can list is not mistaken for what is listed. */
class ManyHeadsTest {
  @TempDir Path folder;

  @Test
  void headsSaysSoAndSucceedRefuses() throws Exception {
    Path data = folder.resolve("data");
    Cli cli = new Cli(folder.resolve("home"));
    String key = cli.key("owner");
    String capsule;
    String successor;
    try (Node server = Cli.serve(data)) {
      cli.use(server);
      capsule = cli.ok("create", "--key", key);
      successor = cli.ok("create", "--key", key);
    }
    append(data, Hash.parse(capsule), SigningKey.parsePem(Files.readString(Path.of(key))));
    try (Node server = Cli.serve(data)) {
      cli.use(server);
      Cli.Ran heads = cli.run("heads", capsule).failsWith(0);
      assertThat(heads.lines()).hasSize(Limits.HEADS);
      assertThat(heads.err()).contains("more heads than the " + Limits.HEADS + " listed");
      assertThat(cli.json("heads", capsule))
          .containsEntry("moreHeads", true)
          .containsEntry("moreUnproven", false);
      assertThat(cli.run("succeed", capsule, "--to", successor, "--key", key).failsWith(1).err())
          .contains("more heads");
      assertThat(cli.json("status", capsule)).containsEntry("closed", false);
    }
  }

  /** Stores records that follow none, each signed, one more than an answer lists. */
  private static void append(Path data, Hash capsule, SigningKey owner) throws Exception {
    Sealer sealer =
        new Sealer(capsule, 0, new ContentKey(0, Secret.copyOf(new byte[32])), new byte[16]);
    List<Record> records = new ArrayList<>();
    List<Statement> signatures = new ArrayList<>();
    for (int i = 0; i <= Limits.HEADS; i++) {
      Record record = sealer.seal(List.of(new byte[] {1}), i, List.of());
      records.add(record);
      signatures.add(Statement.WriterSignature.sign(capsule, record.name(), 0, owner));
    }
    CompletableFuture<Void> stored = new CompletableFuture<>();
    try (CapsuleStore store = CapsuleStore.open(data, StoreOptions.defaults())) {
      store.submit(
          new StoreBatch(
              store.capsule(capsule),
              records,
              signatures,
              1 << 20,
              new StoreBatch.Completion() {
                @Override
                public void received(List<Receipt.Entry> entries) {}

                @Override
                public void synced(List<Receipt.Entry> entries) {
                  stored.complete(null);
                }

                @Override
                public void failed(HoldfastException reason) {
                  stored.completeExceptionally(reason);
                }
              }));
      stored.get(Patience.SECONDS, TimeUnit.SECONDS);
    }
  }
}
