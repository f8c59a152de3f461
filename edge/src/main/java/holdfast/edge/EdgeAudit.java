package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.crypto.Domain;
import holdfast.device.Batch;
import holdfast.device.Claim;
import holdfast.device.DeviceKey;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.Range;
import holdfast.device.SignedClaim;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What an edge's capsule shows about one device, in two verdicts that are kept apart.
 *
 * <p><b>Integrity</b>: everything that the edge attributes to the device is signed by it, and is
 * what it signed. <b>Completeness</b>: every operation that the device has numbered is there, or
 * the device itself has signed what became of it. An edge that leaves something out shows in the
 * second; one that changes something, or its order, shows in the first.
 *
 * <p>Records are read in the order in which the view of the edge applies them, and a claim counts
 * by the rule of the view: what the edge shows is what is judged. Times are the edge's word, and
 * decide nothing but what is counted and shown.
 *
 * <p>What a device has numbered after its last batch, nobody but the device knows.
 */
public final class EdgeAudit {
  private final String device;
  private final long fromMillis;
  private final @Nullable Long toMillis;
  private final List<String> violations = new ArrayList<>();
  private final DeviceNumbers numbers = new DeviceNumbers();

  /** What the name was enrolled with first; it never changes its key. */
  private EdgeLeaf.@Nullable Device enrolment;

  /** Whether the device is enrolled where the walk has come to. */
  private boolean enrolled;

  /** Leaves that were erased as far as the walk has come, whatever they held. */
  private long erasedLeaves;

  /** The key of batches whose enrolment must have been among what was erased; null for none. */
  private @Nullable Octets unenrolledKey;

  private boolean claimed;
  private long batches;
  private long operations;
  private long byPassword;
  private long erased;
  private long unverifiable;
  private long repeated;

  /** The verdict on integrity. */
  public enum Integrity {
    /** All is signed by the device, and as it signed it. */
    HOLDS,
    /** Something is not. */
    VIOLATED,
    /** There is nothing but the edge's own word: the client has only a password. */
    EDGE_ONLY
  }

  /**
   * A range of sequence numbers.
   *
   * @param incarnation of the queue, in hexadecimal
   * @param reason collapsed, expired, dropped, rejected, missing, or "erased or missing" where
   *     leaves between were erased, which may have been theirs
   */
  public record Gap(String incarnation, String reason, long first, long last) {}

  /**
   * What was found.
   *
   * @param violations what speaks against integrity, in words
   * @param complete whether every number up to the last is an operation, or collapsed into one
   * @param operations signed operations that are there, as the device signed them
   * @param byPassword operations for which only the edge vouches
   * @param repeated batches that were sent again, and took no effect
   * @param erased operations that the owner had erased
   * @param unverifiable operations that cannot be verified: others of their batch, or its claim,
   *     were erased, and the device has signed them together
   * @param unlinked what the device could not say of how its queues follow each other, in words
   * @param key with which the device was enrolled, Ed25519 in hexadecimal; null for a user. The
   *     edge could enrol a device that there is not: whether this is the device's key, only who has
   *     the device can say
   */
  public record Report(
      Integrity integrity,
      List<String> violations,
      boolean complete,
      List<Gap> gaps,
      int incarnations,
      long batches,
      long operations,
      long byPassword,
      long repeated,
      long erased,
      long unverifiable,
      List<String> unlinked,
      @Nullable String key) {}

  private EdgeAudit(String device, long fromMillis, @Nullable Long toMillis) {
    this.device = device;
    this.fromMillis = fromMillis;
    this.toMillis = toMillis;
  }

  /**
   * Audits one device, or one user.
   *
   * @param reader holds the content keys; proves what it returns
   * @param device name of the device, or of a user without one
   * @param fromMillis from when on something is counted and shown, by the edge's time
   * @param toMillis until when, exclusive; null for no end. All is judged, whatever its time
   */
  public static Report run(
      CapsuleReader reader, String device, long fromMillis, @Nullable Long toMillis)
      throws ProofException {
    return run(List.of(reader), device, fromMillis, toMillis);
  }

  /**
   * The same over all capsules of an edge that was restored.
   *
   * @param readers of the capsules, oldest first
   */
  public static Report run(
      List<CapsuleReader> readers, String device, long fromMillis, @Nullable Long toMillis)
      throws ProofException {
    EdgeAudit audit = new EdgeAudit(device, fromMillis, toMillis);
    for (CapsuleReader reader : readers) {
      audit.readAll(reader);
    }
    return audit.report();
  }

  private void readAll(CapsuleReader reader) throws ProofException {
    List<Hash> names = EdgeCapsule.linked(reader);
    for (int i = 0; i < names.size(); i += EdgeCapsule.READ_AT_ONCE) {
      int end = Math.min(names.size(), i + EdgeCapsule.READ_AT_ONCE);
      for (ReadResult next : reader.readAll(names.subList(i, end))) {
        switch (next) {
          case ReadResult.Proven one -> read(reader, one.record());
          case ReadResult.Erased one -> read(reader, one.record());
          case ReadResult.Unproven one ->
              violations.add("record " + one.name().brief() + " is not signed");
          case ReadResult.Absent one -> throw lost(one.name());
          case ReadResult.Damaged one -> throw lost(one.name());
          case ReadResult.Outside one -> {}
          case ReadResult.Cached one -> throw new AssertionError("records were asked for");
        }
      }
    }
  }

  private static HoldfastException lost(Hash name) {
    return new HoldfastException(
        ErrorCode.DAMAGED,
        "record "
            + name.brief()
            + " cannot be read there; without it nothing can be said. Ask another server");
  }

  // ---- Reading ----------------------------------------------------------------------------------

  private void read(CapsuleReader reader, Record record) throws ProofException {
    Body body = record.body();
    if (body == null) {
      erasedLeaves += record.header().leafCount();
      enrolled = true;
      return;
    }
    boolean counts = in(record.header().timeMillis());
    byte[] @Nullable [] leaves = reader.opener().openAll(record.header(), body);
    // Whether the claim of changes that come now may be among leaves that were erased.
    boolean claimErased = false;
    for (int i = 0; i < leaves.length; i++) {
      byte[] bytes = leaves[i];
      EdgeLeaf leaf = bytes == null ? null : EdgeLeaf.decode(bytes);
      Place place = new Place(record.name(), i);
      boolean mine = leaf instanceof EdgeLeaf.Change one && one.device().equals(device);
      claimErased = leaf == null || (claimErased && mine);
      boolean cannotBeVerified = mine && claimErased;
      switch (leaf) {
        case EdgeLeaf.Device one when one.name().equals(device) -> enrolment(one, place);
        case EdgeLeaf.DeviceBatch batch -> {
          List<@Nullable Operation> operations = operations(batch, leaves, i);
          if (batch.device().equals(device)) {
            claim(batch.signed(), operations, place, counts);
          }
          i += operations.size();
        }
        case EdgeLeaf.LastTaken last when last.device().equals(device) ->
            saidAgain(last, place, counts);
        case EdgeLeaf.Change _ when cannotBeVerified -> unverifiable += counts ? 1 : 0;
        case EdgeLeaf.Change _ when mine ->
            violations.add(
                "leaf " + brief(place) + " names the device, and no claim stands before it");
        case EdgeLeaf.Change change
            when change.device().isEmpty() && change.user().equals(device) && counts ->
            byPassword++;
        case null -> {
          erasedLeaves++;
          // It may have been what enrolled the device, or enrolled it again.
          enrolled = true;
        }
        default -> {}
      }
    }
  }

  /** The operations of a batch; fewer than it claims when they do not follow it. */
  private List<@Nullable Operation> operations(
      EdgeLeaf.DeviceBatch batch, byte[] @Nullable [] leaves, int at) throws ProofException {
    List<@Nullable Operation> operations = new ArrayList<>();
    int count = batch.signed().claim().operations();
    for (int i = at + 1; i < leaves.length && operations.size() < count; i++) {
      byte[] bytes = leaves[i];
      if (bytes == null) {
        operations.add(null);
      } else if (EdgeLeaf.decode(bytes) instanceof EdgeLeaf.Change(var user, var of, var operation)
          && of.equals(batch.device())
          && user.equals(batch.user())) {
        operations.add(operation);
      } else {
        break;
      }
    }
    return operations;
  }

  private boolean in(long timeMillis) {
    return fromMillis <= timeMillis && (toMillis == null || timeMillis < toMillis);
  }

  private static String brief(Place place) {
    return place.record().brief() + "/" + place.leaf();
  }

  // ---- Judging ----------------------------------------------------------------------------------

  /** The first leaf of a device enrols it; those after it change its state and nothing else. */
  private void enrolment(EdgeLeaf.Device leaf, Place place) {
    String what = "the enrolment in leaf " + brief(place);
    EdgeLeaf.Device first = enrolment;
    if (first == null) {
      enrolment = leaf;
      if (unenrolledKey != null && !unenrolledKey.equals(leaf.key())) {
        violations.add(what + " names another key than the batches before it");
      }
      if (!signedByItsKey(leaf)) {
        violations.add(what + " is not signed by the key that it names");
      }
    } else if (!leaf.key().equals(first.key())) {
      violations.add(what + " names another key than the first; a device has one");
    } else if (!leaf.signature().equals(first.signature())) {
      violations.add(what + " has another signature than the first");
    }
    enrolled = leaf.enrolled();
  }

  private static boolean signedByItsKey(EdgeLeaf.Device leaf) {
    byte[] message;
    try {
      message = DeviceKey.enrolment(leaf.name(), leaf.user());
    } catch (IllegalArgumentException e) {
      // No device signs a name, or a user, that cannot be.
      return false;
    }
    return Edge.signed(leaf.key(), Domain.DEVICE_ENROLMENT, message, leaf.signature());
  }

  /** Judges a claim, and then takes it or passes it over as the view does. */
  private void claim(
      SignedClaim signed, List<@Nullable Operation> found, Place place, boolean counts) {
    Claim claim = signed.claim();
    String what = "the batch " + claim.first() + " to " + claim.last() + " in leaf " + brief(place);
    claimed = true;
    batches += counts ? 1 : 0;
    boolean genuine = genuine(what, signed);
    boolean whole = whole(what, signed, found);
    if (genuine) {
      numbers.signed(claim, counts);
    }
    switch (numbers.take(claim)) {
      case DeviceNumbers.Turn.Fresh _ -> {
        if (genuine && whole) {
          numbers.covered(claim, counts, erasedLeaves);
          if (counts) {
            count(found);
          }
        }
      }
      case DeviceNumbers.Turn.Again _ -> repeated += counts ? 1 : 0;
      case DeviceNumbers.Turn.Behind(long last) ->
          violations.add(
              what
                  + " took no effect: "
                  + last
                  + " of its queue stands before it. Either the edge has changed the order, or the"
                  + " device's key is used twice");
      case DeviceNumbers.Turn.SaidToBeTaken(long last, String where) ->
          violations.add(
              what
                  + " took no effect: in leaf "
                  + where
                  + " the edge says that it had taken "
                  + last
                  + " before");
    }
  }

  /** What the edge says again after an erasure counts for its view, and is its word alone. */
  private void saidAgain(EdgeLeaf.LastTaken said, Place place, boolean counts) {
    if (erasedLeaves == 0 && !numbers.took(said)) {
      violations.add(
          "leaf "
              + brief(place)
              + " says that "
              + said.first()
              + " to "
              + said.last()
              + " were taken, which do not stand before it, and nothing was erased there");
    }
    numbers.saidAgain(said, brief(place), counts);
  }

  private boolean genuine(String what, SignedClaim signed) {
    Claim claim = signed.claim();
    EdgeLeaf.Device first = enrolment;
    Octets key = first == null ? unenrolledKey : first.key();
    if (key == null && erasedLeaves > 0) {
      key = claim.device();
      unenrolledKey = key;
    }
    if (key == null) {
      violations.add(what + " stands before the device was enrolled");
      return false;
    }
    if (!claim.device().equals(key)) {
      violations.add(what + " is by a key that the device was not enrolled with");
      return false;
    }
    if (!Edge.signed(claim.device(), Domain.DEVICE_BATCH, claim.encode(), signed.signature())) {
      violations.add(what + " is not signed by the device");
      return false;
    }
    if (first != null && !enrolled) {
      violations.add(what + " stands after the device was revoked");
    }
    return true;
  }

  /** Whether the operations are those of the claim, as far as they were not erased. */
  private boolean whole(String what, SignedClaim signed, List<@Nullable Operation> found) {
    int claims = signed.claim().operations();
    if (found.size() != claims) {
      violations.add(what + " claims " + claims + " operations, and " + found.size() + " follow");
      return false;
    }
    List<Operation> present = found.stream().filter(Objects::nonNull).toList();
    if (present.size() == claims) {
      try {
        var _ = new Batch(signed, present);
        return true;
      } catch (IllegalArgumentException e) {
        violations.add(what + " does not fit its operations: " + e.getMessage());
        return false;
      }
    }
    // Without those that were erased there is no root; the numbers are known all the same.
    long next = signed.claim().first();
    int range = 0;
    List<Range> ranges = signed.claim().ranges();
    for (Operation operation : found) {
      while (range < ranges.size() && ranges.get(range).first() == next) {
        next = ranges.get(range++).last() + 1;
      }
      if (operation != null && operation.sequence() != next) {
        violations.add(
            what
                + " does not fit its operations: the operation "
                + operation.sequence()
                + " stands where the claim leaves room for "
                + next);
        return false;
      }
      next++;
    }
    return true;
  }

  /** Counts the operations of a batch that took effect. */
  private void count(List<@Nullable Operation> found) {
    long present = found.stream().filter(Objects::nonNull).count();
    if (present == found.size()) {
      operations += present;
    } else {
      erased += found.size() - present;
      unverifiable += present;
    }
  }

  private Report report() {
    boolean nothing = !claimed && byPassword == 0 && unverifiable == 0;
    if (enrolment == null && nothing && violations.isEmpty()) {
      throw new HoldfastException(
          ErrorCode.NOT_FOUND, "neither a device nor a user called " + device + " wrote anything");
    }
    List<Gap> gaps = numbers.gaps(erasedLeaves);
    Octets key = enrolment == null ? unenrolledKey : enrolment.key();
    boolean complete = gaps.stream().allMatch(gap -> gap.reason().equals("collapsed"));
    Integrity integrity =
        !violations.isEmpty()
            ? Integrity.VIOLATED
            : key == null ? Integrity.EDGE_ONLY : Integrity.HOLDS;
    return new Report(
        integrity,
        List.copyOf(violations),
        complete,
        gaps,
        numbers.queues(),
        batches,
        operations,
        byPassword,
        repeated,
        erased,
        unverifiable,
        numbers.unlinked(),
        key == null ? null : key.toHex());
  }
}
