package holdfast.edge;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.client.CapsuleReader;
import holdfast.client.ProofMaterial;
import holdfast.client.ReaderOptions;
import holdfast.crypto.Domain;
import holdfast.crypto.VerifyKey;
import holdfast.device.Batch;
import holdfast.device.Octets;
import holdfast.device.Operation;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What an edge does for those who are logged in, whatever protocol they speak: each method checks
 * the rights first, then does it.
 */
final class Edge implements AutoCloseable {
  /** How long a change may take before nobody knows what became of it. */
  private static final long PATIENCE_MILLIS = 40_000;

  static final int MOST_USERS = 50_000;

  private final String name;
  private final View view;
  private final Flusher flusher;
  private final EdgeCapsule capsule;
  private final Logins logins;
  private final Passwords passwords;
  private final VerifyKey node;
  private final MqttCounters mqtt = new MqttCounters();
  private final ReentrantLock proving = new ReentrantLock();
  private final Map<Hash, CapsuleReader> provers = new HashMap<>();
  private volatile @Nullable Backup backup;
  private volatile @Nullable ErasureWatch erasures;
  private volatile @Nullable EdgeClock clock;

  Edge(
      String name,
      View view,
      Flusher flusher,
      EdgeCapsule capsule,
      Logins logins,
      Passwords passwords,
      VerifyKey node) {
    this.name = name;
    this.view = view;
    this.flusher = flusher;
    this.capsule = capsule;
    this.logins = logins;
    this.passwords = passwords;
    this.node = node;
    logins.onUpgrade(this::upgrade);
  }

  String name() {
    return name;
  }

  View view() {
    return view;
  }

  Logins logins() {
    return logins;
  }

  Passwords passwords() {
    return passwords;
  }

  VerifyKey node() {
    return node;
  }

  EdgeCapsule capsule() {
    return capsule;
  }

  /** Says how far the edge is on its masters. */
  void backup(Backup of) {
    backup = of;
  }

  /** Says whether the clock is believed. */
  void clock(EdgeClock of) {
    clock = of;
  }

  /** Why the clock of the machine is not believed; null while it is. */
  @Nullable String clockTrouble() {
    EdgeClock known = clock;
    return known == null ? null : known.trouble();
  }

  /** Says which erasures are not followed yet. */
  void erasures(ErasureWatch of) {
    erasures = of;
  }

  /** How many erasures of the owner are known and not followed yet. */
  int unsettledErasures() {
    ErasureWatch watch = erasures;
    return watch == null ? 0 : watch.unsettled();
  }

  @Nullable Backup backup() {
    return backup;
  }

  Flusher flusher() {
    return flusher;
  }

  /** What MQTT clients have done so far; all zero without MQTT. */
  MqttCounters mqtt() {
    return mqtt;
  }

  // ---- Keys and values --------------------------------------------------------------------------

  /** Makes changes, all or none; they are synced when this returns. */
  Outcome write(
      Login login,
      List<Operation> operations,
      Condition condition,
      boolean mustExist,
      Task.@Nullable Once once) {
    String space = operations.getFirst().space();
    login.require(Right.WRITE, space);
    Ticket ticket = new Ticket();
    flusher.submit(Task.Write.of(ticket, login.name(), operations, condition, mustExist, once));
    return ticket.await(PATIENCE_MILLIS);
  }

  /**
   * Takes a batch of a device; it is synced when this returns. Rights in its spaces are looked at
   * when its turn has come: a batch that was taken before is answered as before, whatever has
   * become of the rights since.
   */
  Outcome take(Login login, String device, Batch batch, long bytes) {
    requireWriter(login);
    if (!signed(
        batch.claim().device(),
        Domain.DEVICE_BATCH,
        batch.claim().encode(),
        batch.signed().signature())) {
      throw new Problem(
          Problem.Code.VIOLATION, "the batch is not signed by the device that its claim names");
    }
    Ticket ticket = new Ticket();
    flusher.submit(new Task.DeviceWrite(ticket, login.name(), device, batch, bytes));
    return ticket.await(PATIENCE_MILLIS);
  }

  /** Refuses who may write nowhere. */
  void requireWriter(Login login) {
    boolean writes =
        login instanceof Login.Known(var user)
            && user.grants().stream().anyMatch(grant -> grant.right().includes(Right.WRITE));
    if (!writes) {
      throw new Problem(Problem.Code.DENIED, "the right to write is missing");
    }
  }

  /** Whether who logged in some time ago still is who it was, and has a right. */
  boolean still(Login login, Right right, String space) {
    return switch (login) {
      case Login.Operator operator -> operator.may(right, space);
      case Login.Known(var user) -> {
        EdgeLeaf.User now = view.users.get(user.name());
        yield now != null
            && now.passwordHash().equals(user.passwordHash())
            && now.may(right, space);
      }
    };
  }

  static boolean signed(Octets key, Domain domain, byte[] message, Octets signature) {
    try {
      return VerifyKey.ed25519(key.toArray()).verifies(domain, message, signature.toArray());
    } catch (ProofException e) {
      return false;
    }
  }

  /**
   * The offline proof of the value at a place.
   *
   * @param disclose whether whoever has the file can read the value
   */
  byte[] proof(Place place, boolean disclose) throws ProofException {
    proving.lock();
    try {
      EdgeCapsule holder = capsule.holding(place.record());
      CapsuleReader reader = provers.get(holder.name());
      if (reader == null) {
        reader = holder.openReader(ReaderOptions.withoutCache());
        provers.put(holder.name(), reader);
      }
      ProofMaterial material = reader.proofMaterial(place.record(), place.leaf());
      return material.file(
          disclose ? reader.opener().recordKey(material.chain().getLast().header()) : null,
          List.of());
    } finally {
      proving.unlock();
    }
  }

  // ---- Administration ---------------------------------------------------------------------------

  /** Writes a leaf of administration, made when its turn has come; null for nothing to do. */
  Outcome administer(Function<Flush, @Nullable EdgeLeaf> decide) {
    Ticket ticket = new Ticket();
    flusher.submit(new Task.Administer(ticket, decide));
    return ticket.await(PATIENCE_MILLIS);
  }

  /** Keeps a stronger hash of a password that was just right; nobody waits for it. */
  private void upgrade(EdgeLeaf.User user, String hash) {
    try {
      flusher.submit(
          new Task.Administer(
              new Ticket(),
              flush -> {
                EdgeLeaf.User now = flush.userNow(user.name());
                return now == null || !now.passwordHash().equals(user.passwordHash())
                    ? null
                    : new EdgeLeaf.User(flush.timeMillis(), "", now.name(), hash, now.grants());
              }));
    } catch (Problem busy) {
      // The next login tries again.
      return;
    }
  }

  static Problem noSuch(String what) {
    return new Problem(Problem.Code.NOT_FOUND, "there is no such " + what);
  }

  @Override
  public void close() {
    proving.lock();
    try {
      provers.values().forEach(CapsuleReader::close);
      provers.clear();
    } finally {
      proving.unlock();
    }
  }
}
