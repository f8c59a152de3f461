package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.client.CapsuleReader;
import holdfast.client.Cursor;
import holdfast.client.ReadResult;
import holdfast.crypto.Domain;
import holdfast.device.Batch;
import holdfast.device.Claim;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.Range;
import holdfast.device.Reason;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What an edge's capsule shows about one device, in two verdicts that are kept apart.
 *
 * <p><b>Integrity</b>: everything that the edge attributes to the device is signed by it, and is
 * what it signed. <b>Completeness</b>: every operation that the device has numbered is there, or
 * the device itself has signed what became of it. An edge that leaves something out shows in the
 * second; one that changes something shows in the first.
 *
 * <p>What a device has numbered after its last batch, nobody but the device knows.
 */
public final class EdgeAudit {
  private final String device;
  private final long fromMillis;
  private final long toMillis;
  private final List<String> violations = new ArrayList<>();
  private final Map<Octets, TreeMap<Long, Covered>> queues = new LinkedHashMap<>();
  private final List<EdgeLeaf.Device> enrolments = new ArrayList<>();
  private final List<Claimed> claims = new ArrayList<>();
  private long byPassword;
  private long unreadable;
  private long repeated;

  /** A claim and the operations that stand behind it; null where the owner had one erased. */
  private record Claimed(
      Place place,
      long timeMillis,
      EdgeLeaf.DeviceBatch leaf,
      List<@Nullable Operation> operations) {}

  /** What a claim covers. */
  private record Covered(Claim claim, long timeMillis, boolean inRange) {}

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
   * @param reason collapsed, expired, dropped or missing
   */
  public record Gap(String incarnation, String reason, long first, long last) {}

  /**
   * What was found.
   *
   * @param violations what speaks against integrity, in words
   * @param complete whether every number up to the last is an operation, or collapsed into one
   * @param operations signed operations that are there
   * @param byPassword operations for which only the edge vouches
   * @param repeated batches that were sent again, and took no effect
   * @param erased operations that the owner had erased
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
      long erased) {}

  private EdgeAudit(String device, long fromMillis, long toMillis) {
    this.device = device;
    this.fromMillis = fromMillis;
    this.toMillis = toMillis;
  }

  /**
   * Audits one device, or one user.
   *
   * @param reader holds the content keys; proves what it returns
   * @param device name of the device, or of a user without one
   * @param fromMillis from when on, by the edge's time
   * @param toMillis until when, exclusive
   */
  public static Report run(CapsuleReader reader, String device, long fromMillis, long toMillis)
      throws ProofException {
    return run(List.of(reader), device, fromMillis, toMillis);
  }

  /**
   * The same over all capsules of an edge that was restored.
   *
   * @param readers of the capsules, oldest first
   */
  public static Report run(
      List<CapsuleReader> readers, String device, long fromMillis, long toMillis)
      throws ProofException {
    EdgeAudit audit = new EdgeAudit(device, fromMillis, toMillis);
    for (CapsuleReader reader : readers) {
      audit.readAll(reader);
    }
    return audit.report();
  }

  private void readAll(CapsuleReader reader) throws ProofException {
    Cursor all = reader.scan(0);
    for (ReadResult next = all.next(); next != null; next = all.next()) {
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
      return;
    }
    long time = record.header().timeMillis();
    byte[] @Nullable [] leaves = reader.opener().openAll(record.header(), body);
    for (int i = 0; i < leaves.length; i++) {
      byte[] bytes = leaves[i];
      EdgeLeaf leaf = bytes == null ? null : EdgeLeaf.decode(bytes);
      switch (leaf) {
        case EdgeLeaf.Device one when one.name().equals(device) -> enrolments.add(one);
        case EdgeLeaf.DeviceBatch batch -> {
          List<@Nullable Operation> operations = operations(batch, leaves, i);
          if (batch.device().equals(device)) {
            claims.add(new Claimed(new Place(record.name(), i), time, batch, operations));
          }
          i += operations.size();
        }
        case EdgeLeaf.Change change when change.device().equals(device) && in(time) ->
            violations.add(
                "leaf "
                    + record.name().brief()
                    + "/"
                    + i
                    + " names the device, and no claim"
                    + " stands before it");
        case EdgeLeaf.Change change
            when change.device().isEmpty() && change.user().equals(device) && in(time) ->
            byPassword++;
        case null, default -> {}
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
    return fromMillis <= timeMillis && timeMillis < toMillis;
  }

  // ---- Judging ----------------------------------------------------------------------------------

  private Report report() {
    Set<Octets> keys = new HashSet<>();
    for (EdgeLeaf.Device one : enrolments) {
      keys.add(one.key());
    }
    if (keys.size() > 1) {
      violations.add("the device was enrolled with " + keys.size() + " keys; it may have one");
    }
    claims.sort(Comparator.comparingLong(Claimed::timeMillis));
    long operations = 0;
    long batches = 0;
    for (Claimed one : claims) {
      boolean counts = in(one.timeMillis());
      if (counts) {
        batches++;
        judge(one, keys);
      }
      operations += cover(one, counts);
    }
    if (enrolments.isEmpty() && claims.isEmpty()) {
      if (byPassword == 0 && violations.isEmpty()) {
        throw new HoldfastException(
            ErrorCode.NOT_FOUND,
            "neither a device nor a user called " + device + " wrote anything");
      }
    }
    List<Gap> gaps = gaps();
    boolean complete = gaps.stream().allMatch(gap -> gap.reason().equals("collapsed"));
    Integrity integrity =
        !violations.isEmpty()
            ? Integrity.VIOLATED
            : enrolments.isEmpty() ? Integrity.EDGE_ONLY : Integrity.HOLDS;
    return new Report(
        integrity,
        List.copyOf(violations),
        complete,
        gaps,
        queues.size(),
        batches,
        operations,
        byPassword,
        repeated,
        unreadable);
  }

  private void judge(Claimed one, Set<Octets> keys) {
    Claim claim = one.leaf().signed().claim();
    String what =
        "the batch " + claim.first() + " to " + claim.last() + " in leaf " + brief(one.place());
    if (!keys.contains(claim.device())) {
      violations.add(what + " is by a key that the device was not enrolled with");
    } else if (!Edge.signed(
        claim.device(), Domain.DEVICE_BATCH, claim.encode(), one.leaf().signed().signature())) {
      violations.add(what + " is not signed by the device");
    }
    if (one.operations().size() != claim.operations()) {
      violations.add(
          what
              + " claims "
              + claim.operations()
              + " operations, and "
              + one.operations().size()
              + " follow");
      return;
    }
    List<Operation> present = new ArrayList<>();
    one.operations()
        .forEach(operation -> {
          if (operation != null) {
            present.add(operation);
          }
        });
    if (present.size() < claim.operations()) {
      // What the owner had erased cannot be hashed any more; the claim still covers it.
      unreadable += claim.operations() - present.size();
    } else {
      try {
        var _ = new Batch(one.leaf().signed(), present);
      } catch (IllegalArgumentException e) {
        violations.add(what + " does not fit its operations: " + e.getMessage());
      }
    }
  }

  private static String brief(Place place) {
    return place.record().brief() + "/" + place.leaf();
  }

  /** Adds a claim to what its queue covers; returns how many operations it brings. */
  private long cover(Claimed one, boolean counts) {
    Claim claim = one.leaf().signed().claim();
    TreeMap<Long, Covered> queue =
        queues.computeIfAbsent(claim.incarnation(), first -> new TreeMap<>());
    Map.Entry<Long, Covered> before = queue.floorEntry(claim.last());
    if (before != null && before.getValue().claim().last() >= claim.first()) {
      // It took no effect; the same claim again is a retry, another is none of the device's.
      if (before.getValue().claim().equals(claim) || sameAt(queue, claim)) {
        repeated += counts ? 1 : 0;
      } else if (counts) {
        violations.add(
            "two batches claim number "
                + Math.max(claim.first(), before.getValue().claim().first())
                + " of one queue: the device's key is used twice");
      }
      return 0;
    }
    queue.put(claim.first(), new Covered(claim, one.timeMillis(), counts));
    return counts ? claim.operations() : 0;
  }

  private static boolean sameAt(Map<Long, Covered> queue, Claim claim) {
    Covered there = queue.get(claim.first());
    return there != null && there.claim().equals(claim);
  }

  private List<Gap> gaps() {
    List<Gap> gaps = new ArrayList<>();
    queues.forEach((incarnation, queue) -> {
      String hex = incarnation.toHex();
      long next = 1;
      for (Covered covered : queue.values()) {
        Claim claim = covered.claim();
        if (covered.inRange()) {
          if (claim.first() > next) {
            gaps.add(new Gap(hex, "missing", next, claim.first() - 1));
          }
          for (Range range : claim.ranges()) {
            gaps.add(new Gap(hex, text(range.reason()), range.first(), range.last()));
          }
        }
        next = claim.last() + 1;
      }
    });
    return gaps;
  }

  private static String text(Reason reason) {
    return reason.name().toLowerCase(java.util.Locale.ROOT);
  }
}
