package holdfast.edge;

import holdfast.base.Hash;
import holdfast.device.Batch;
import holdfast.device.Operation;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Something that the flusher decides upon and writes. */
sealed interface Task {
  /** Who waits for it. */
  Ticket ticket();

  /** About how many bytes it brings. */
  long bytes();

  /** How many leaves it makes at most. */
  int leaves();

  /**
   * Changes of keys, all or none.
   *
   * @param condition what must hold of the first key
   * @param mustExist whether the first key must have a value
   * @param once what makes it safe to repeat; null when nothing does
   * @param bytes of all operations
   */
  record Write(
      Ticket ticket,
      String user,
      List<Operation> operations,
      Condition condition,
      boolean mustExist,
      @Nullable Once once,
      long bytes)
      implements Task {
    /** A write; its size is found out here, once. */
    static Write of(
        Ticket ticket,
        String user,
        List<Operation> operations,
        Condition condition,
        boolean mustExist,
        @Nullable Once once) {
      long bytes = 0;
      for (Operation operation : operations) {
        bytes += operation.encodedSize();
      }
      return new Write(ticket, user, operations, condition, mustExist, once, bytes);
    }

    @Override
    public int leaves() {
      return operations.size() + 1;
    }
  }

  /** Hashes of an idempotency key and of the request it came with. */
  record Once(Hash key, Hash request) {}

  /** A batch of a device; its signature is verified. */
  record DeviceWrite(Ticket ticket, String user, String device, Batch batch, long bytes)
      implements Task {
    @Override
    public int leaves() {
      return batch.operations().size() + 1;
    }
  }

  /**
   * A change of users, devices or limits.
   *
   * @param decide makes the leaf from the view as it is when its turn has come; null when nothing
   *     is to be written
   */
  record Administer(Ticket ticket, Function<Flush, @Nullable EdgeLeaf> decide) implements Task {
    @Override
    public long bytes() {
      return 1024;
    }

    @Override
    public int leaves() {
      return 1;
    }
  }

  /**
   * What follows from an erasure: deletions of keys whose last change was erased, and what has to
   * be said again.
   *
   * @param drop versions that were erased
   * @param restate leaves, made from what holds when their turn has come
   */
  record Restate(
      Ticket ticket,
      List<ViewKeys.VersionOf> drop,
      Function<Flush, List<EdgeLeaf>> restate,
      int leaves)
      implements Task {
    @Override
    public long bytes() {
      return 256L * leaves;
    }
  }
}
