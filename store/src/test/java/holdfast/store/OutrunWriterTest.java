package holdfast.store;

import static holdfast.store.StoreFixture.submit;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.store.StoreFixture.Outcome;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A batch of a writer who has not heard of a placement is refused behind it. */
@Timeout(Patience.TEST_SECONDS)
class OutrunWriterTest {
  @TempDir Path folder;

  private static Statement.Placement placement(Writer writer, long version) {
    return Statement.Placement.sign(
        writer.name,
        5,
        version,
        List.of(new Statement.Placement.Member(writer.owner.verifyKey(), "host:1")),
        writer.owner);
  }

  private static Outcome write(
      CapsuleStore store, StoredCapsule capsule, Record record, long goesBy) {
    Outcome outcome = new Outcome();
    store.submit(new StoreBatch(capsule, List.of(record), List.of(), 512, goesBy, outcome));
    return outcome;
  }

  /** Trap: three batches that are applied as one group are judged one after the other. */
  @Test
  void theOrderInWhichBatchesAreAppliedDecides() throws Exception {
    Writer writer = new Writer(1);
    try (CapsuleStore store = CapsuleStore.open(folder, StoreFixture.SMALL)) {
      StoredCapsule capsule = writer.create(store);
      submit(store, capsule, List.of(), List.of(placement(writer, 1))).expectSynced();
      Outcome held;
      Outcome before;
      Outcome moved;
      Outcome behind;
      Outcome knows;
      capsule.lock.lock();
      try {
        // The committer takes this one and waits; those behind it make one group.
        held = write(store, capsule, writer.record("a"), 1);
        before = write(store, capsule, writer.record("b"), 1);
        moved = submit(store, capsule, List.of(), List.of(placement(writer, 2)));
        behind = write(store, capsule, writer.record("c"), 1);
        knows = write(store, capsule, writer.record("d"), 2);
      } finally {
        capsule.lock.unlock();
      }
      held.expectSynced();
      before.expectSynced();
      moved.expectSynced();
      assertThat(behind.expectFailed().code()).isEqualTo(ErrorCode.SUPERSEDED);
      knows.expectSynced();
      Outcome later = write(store, capsule, writer.record("e"), 1);
      assertThat(later.expectFailed().code()).isEqualTo(ErrorCode.SUPERSEDED);
      // Neither the owner's word nor what is carried is a writer's.
      submit(store, capsule, List.of(), List.of(placement(writer, 1))).expectSynced();
      submit(store, capsule, List.of(writer.record("f")), List.of()).expectSynced();
      assertThat(capsule.<Long>withGraph(graph -> graph.size())).isEqualTo(4);
    }
  }
}
