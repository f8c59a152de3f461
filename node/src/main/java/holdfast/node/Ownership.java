package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.crypto.VerifyKey;
import holdfast.store.CapsuleStore;
import holdfast.store.StoredCapsule;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Who may create capsules here, and how many. */
final class Ownership {
  private final NodeOptions options;
  private final CapsuleStore store;
  private @Nullable Map<VerifyKey, Integer> capsules;

  Ownership(NodeOptions options, CapsuleStore store) {
    this.options = options;
    this.store = store;
  }

  /** Creates a capsule if its owner may. Creating one that is there already is success. */
  synchronized StoredCapsule create(Metadata metadata, byte[] signature) throws ProofException {
    metadata.verifyCreation(signature);
    StoredCapsule present = store.capsule(metadata.name());
    if (present != null) {
      return present;
    }
    if (!options.owners().isEmpty() && !options.owners().contains(metadata.owner())) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "the owner "
              + metadata.owner()
              + " may not create capsules here; the server's operator"
              + " allows it with --allow-owner");
    }
    Map<VerifyKey, Integer> counts = counts();
    int owned = counts.getOrDefault(metadata.owner(), 0);
    if (owned >= options.capsulesPerOwner()) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "the owner " + metadata.owner() + " has all the capsules it may have here: " + owned);
    }
    StoredCapsule made = store.create(metadata, signature);
    counts.put(metadata.owner(), owned + 1);
    return made;
  }

  private Map<VerifyKey, Integer> counts() {
    Map<VerifyKey, Integer> known = capsules;
    if (known == null) {
      known = store.capsulesByOwner();
      capsules = known;
    }
    return known;
  }
}
