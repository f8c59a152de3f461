package holdfast.capsule;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Chooses the backpointers of a writer's records, by a strategy that is the writer's own: readers
 * and servers follow whatever pointers there are.
 *
 * <p>Positions count from 0 within a run. The record at position 0 points at the heads the run
 * began with; several heads make it a merge.
 */
public final class Backpointers {
  /** How many pointers back, and where to. */
  public sealed interface Strategy {
    /** Each record points at the one before: smallest headers, proofs as long as the history. */
    record Chain() implements Strategy {}

    /**
     * The record at position i also points at i − 2, i − 4, … i − 2^j for every 2^j that divides i:
     * two pointers on average, proofs of at most 2·log₂ n headers. The default.
     */
    record Skip() implements Strategy {}

    /** Every {@code interval}-th record also points at the checkpoint before it. */
    record Checkpoint(int interval) implements Strategy {
      /** Checks the interval. */
      public Checkpoint {
        if (interval < 2) {
          throw new IllegalArgumentException("checkpoints are at least 2 records apart");
        }
      }
    }
  }

  private static final int LEVELS = 32;

  private final Strategy strategy;
  private final List<Hash> start;
  private final @Nullable Hash[] latest = new Hash[LEVELS];
  private @Nullable Hash previous;
  private @Nullable Hash checkpoint;
  private long position;

  /** A run that begins at these heads; none for an empty capsule. */
  public Backpointers(Strategy strategy, List<Hash> heads) {
    this.strategy = strategy;
    this.start = List.copyOf(heads);
  }

  /** The pointers of the next record, the one before it first. */
  public List<Hash> next() {
    Hash before = previous;
    if (before == null) {
      return start;
    }
    List<Hash> pointers = new ArrayList<>();
    pointers.add(before);
    switch (strategy) {
      case Strategy.Chain() -> {}
      case Strategy.Skip() -> {
        int levels = Math.min(Long.numberOfTrailingZeros(position), LEVELS - 1);
        for (int level = 1; level <= levels; level++) {
          Hash name = latest[level];
          if (name != null) {
            pointers.add(name);
          }
        }
      }
      case Strategy.Checkpoint(int interval) -> {
        Hash last = checkpoint;
        if (position % interval == 0 && last != null && !last.equals(before)) {
          pointers.add(last);
        }
      }
    }
    return pointers;
  }

  /** Tells that the record made with {@link #next} has this name. */
  public void appended(Hash name) {
    previous = name;
    int levels = Math.min(Long.numberOfTrailingZeros(position), LEVELS - 1);
    for (int level = 0; level <= levels; level++) {
      latest[level] = name;
    }
    if (strategy instanceof Strategy.Checkpoint(int interval) && position % interval == 0) {
      checkpoint = name;
    }
    position++;
  }
}
