package holdfast.sync;

import holdfast.base.Hash;
import java.util.Collection;

/** Every way to reconcile two sets of names. */
enum Way {
  NAIVE {
    @Override
    Reconciler side(boolean initiator, Hash salt, Collection<Hash> names) {
      return new NaiveReconciler(initiator, names);
    }
  },
  TREE {
    @Override
    Reconciler side(boolean initiator, Hash salt, Collection<Hash> names) {
      return new TreeReconciler(initiator, salt, names);
    }
  },
  SKETCH {
    @Override
    Reconciler side(boolean initiator, Hash salt, Collection<Hash> names) {
      return new SketchReconciler(initiator, salt, names);
    }
  },
  BLOOM {
    @Override
    Reconciler side(boolean initiator, Hash salt, Collection<Hash> names) {
      return new BloomReconciler(initiator, salt, names);
    }
  };

  abstract Reconciler side(boolean initiator, Hash salt, Collection<Hash> names);

  /** Whether all that the peer lacks is found, not only nearly all. */
  boolean exact() {
    return this != BLOOM;
  }
}
