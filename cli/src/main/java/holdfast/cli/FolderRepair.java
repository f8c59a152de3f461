package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.ArrivalPage;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import holdfast.store.CapsuleStore;
import holdfast.store.Scrubber;
import holdfast.store.StoreBatch;
import holdfast.store.StoredCapsule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;

/**
 * Mends the folder of a stopped server with what other servers have. They are asked as any client
 * asks, so every record is proven, from its name to a signature, before it is stored.
 *
 * <p>For each capsule and each server, in this order: the owner's statements, so that nothing
 * erased comes back; signatures of what is damaged, and copies of it; then records that are not
 * here.
 */
final class FolderRepair {
  private static final int RECORDS_AT_ONCE = 64;
  private static final int PAGE_RECORDS = 4000;
  private static final int STATEMENTS_AT_ONCE = 1000;

  private final CapsuleStore store;
  private final Scrubber scrubber;
  private final List<Server> named;
  private final VerifyKey self;
  private final Consumer<String> says;
  private final Map<Statement.Placement.Member, Server> placed = new HashMap<>();
  private final Set<String> unasked = new HashSet<>();
  private long repaired;
  private long fetched;
  private long statements;

  /**
   * What was done.
   *
   * @param repaired damaged records, and entries of capsules, that are intact again
   * @param fetched records that were not here
   * @param statements statements, signatures among them, that were not here
   * @param left damaged records that no copy was found for
   * @param unasked servers that did not answer, or not with what holds
   */
  record Outcome(long repaired, long fetched, long statements, long left, List<String> unasked) {
    static final Outcome NOTHING = new Outcome(0, 0, 0, 0, List.of());

    /** Whether anything was brought. */
    boolean mended() {
      return repaired + fetched + statements > 0;
    }

    /** This and what was done after it. */
    Outcome then(Outcome next) {
      SortedSet<String> silent = new TreeSet<>(unasked);
      silent.addAll(next.unasked);
      return new Outcome(
          repaired + next.repaired,
          fetched + next.fetched,
          statements + next.statements,
          next.left,
          List.copyOf(silent));
    }
  }

  private FolderRepair(
      CapsuleStore store, List<Server> named, VerifyKey self, Consumer<String> says) {
    this.store = store;
    this.scrubber = store.scrubber();
    this.named = named;
    this.self = self;
    this.says = says;
  }

  /**
   * Mends what can be mended.
   *
   * @param named the servers to ask; none for those on which the capsules are placed
   * @param self the identity of the stopped server, which is not asked
   */
  static Outcome run(
      CapsuleStore store, List<Server> named, VerifyKey self, Consumer<String> says) {
    FolderRepair repair = new FolderRepair(store, named, self, says);
    try {
      repair.all();
      return new Outcome(
          repair.repaired,
          repair.fetched,
          repair.statements,
          store.damagedCount(),
          repair.unasked.stream().sorted().toList());
    } finally {
      repair.placed.values().forEach(Server::close);
      repair.scrubber.close();
    }
  }

  /**
   * Goes through all capsules, and looks again while that has helped: what is noted of a record may
   * be wrong only because of another one that was damaged.
   */
  private void all() {
    store.capsulesWithoutEntry().forEach(this::entry);
    scrubber.wholePass();
    long before;
    do {
      before = repaired;
      for (Hash name : store.capsulesThatBegin("", Integer.MAX_VALUE)) {
        capsule(name);
      }
      if (store.damagedCount() > 0) {
        scrubber.wholePass();
      }
    } while (store.damagedCount() > 0 && repaired > before);
  }

  /** Brings back the entry of a capsule. Its placement is not known without that. */
  private void entry(Hash name) {
    for (Server server : named) {
      try (CapsuleReader reader =
          server.openReader(name, List.of(), ReaderOptions.withoutCache())) {
        store.create(reader.metadata(), reader.ownerSignature());
        says.accept("the entry of capsule " + name.brief() + " is restored");
        repaired++;
        return;
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
          unasked(server, e);
        }
      } catch (ProofException e) {
        unasked(server, e);
      }
    }
    says.accept(
        "the entry of capsule "
            + name.brief()
            + " is lost; name a server that has the capsule with --from");
  }

  private void capsule(Hash name) {
    StoredCapsule capsule;
    try {
      capsule = store.capsule(name);
    } catch (HoldfastException e) {
      says.accept("capsule " + name.brief() + " cannot be opened: " + e.getMessage());
      return;
    }
    if (capsule == null) {
      return;
    }
    List<Server> servers = servers(capsule);
    if (servers.isEmpty() && capsule.damagedCount() > 0) {
      says.accept(
          "no placement of capsule " + name.brief() + " is known here; name servers with --from");
    }
    for (Server server : servers) {
      try (CapsuleReader reader =
          server.openReader(name, List.of(), ReaderOptions.withoutCache())) {
        mend(capsule, reader);
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
          unasked(server, e);
        }
      } catch (ProofException e) {
        unasked(server, e);
      }
    }
  }

  private void unasked(Server server, Exception e) {
    if (unasked.add(server.endpoint().toString())) {
      says.accept(server.endpoint() + " is of no help: " + e.getMessage());
    }
  }

  /**
   * Those that were named, or the members of all placements that hold jointly: while a capsule
   * moves, the only good copy may be on a server that it leaves. Those of the newest come first.
   */
  private List<Server> servers(StoredCapsule capsule) {
    if (!named.isEmpty()) {
      return named;
    }
    Set<Server> servers = new LinkedHashSet<>();
    for (Statement.Placement one : Release.joint(capsule.ownerStatements()).reversed()) {
      for (Statement.Placement.Member member : one.members()) {
        if (!member.identity().equals(self)) {
          servers.add(placed.computeIfAbsent(member, Replicas::connect));
        }
      }
    }
    return List.copyOf(servers);
  }

  // ---- One capsule, one server ------------------------------------------------------------------

  private void mend(StoredCapsule capsule, CapsuleReader reader) throws ProofException {
    Set<Statement> here = new HashSet<>(capsule.ownerStatements());
    List<Statement> owners = new ArrayList<>();
    Map<Hash, List<Statement>> signatures = new HashMap<>();
    for (Statement statement : reader.statements(false)) {
      if (statement instanceof Statement.WriterSignature signature) {
        signatures.computeIfAbsent(signature.record(), none -> new ArrayList<>()).add(signature);
      } else if (!here.contains(statement)) {
        owners.add(statement);
      }
    }
    // A succession names heads that may be among what is brought.
    List<Statement> closing =
        owners.stream().filter(one -> one instanceof Statement.Succession).toList();
    owners.removeAll(closing);
    declare(capsule, owners);
    copies(capsule, reader, signatures);
    lost(capsule, reader, signatures);
    declare(capsule, closing);
    newSignatures(capsule, signatures);
  }

  private void copies(
      StoredCapsule capsule, CapsuleReader reader, Map<Hash, List<Statement>> signatures)
      throws ProofException {
    for (List<Hash> names : parts(scrubber.mendable(capsule), RECORDS_AT_ONCE)) {
      List<Record> copies = proven(reader, names);
      if (copies.isEmpty()) {
        continue;
      }
      // The header first: a record whose name is lost cannot be signed.
      repaired += store.repair(capsule, copies);
      Set<Hash> left = new HashSet<>(scrubber.mendable(capsule));
      copies.removeIf(copy -> !left.contains(copy.name()));
      List<Statement> own = new ArrayList<>();
      copies.forEach(copy -> own.addAll(signatures.getOrDefault(copy.name(), List.of())));
      if (!own.isEmpty()) {
        submit(capsule, List.of(), own);
        repaired += store.repair(capsule, copies);
      }
    }
  }

  /** Whether every damaged record has a name: else one of them would pass for one that is lost. */
  private boolean allNamed(StoredCapsule capsule) {
    long nameless =
        capsule.damaged(Integer.MAX_VALUE).stream()
            .filter(damage -> capsule.wantsCopy(damage.arrival()))
            .count();
    return nameless == scrubber.mendable(capsule).size();
  }

  private void lost(
      StoredCapsule capsule, CapsuleReader reader, Map<Hash, List<Statement>> signatures)
      throws ProofException {
    if (!allNamed(capsule)) {
      says.accept(
          "capsule "
              + capsule.name().brief()
              + ": the names of some damaged records are lost, so what else is lost is not known");
      return;
    }
    Set<Hash> damaged = new HashSet<>(scrubber.mendable(capsule));
    ArrivalPage page;
    long from = 0;
    do {
      page = reader.page(from, PAGE_RECORDS, false);
      List<Hash> missing = new ArrayList<>();
      for (int i = 0; i < page.records().size(); i++) {
        Hash name = page.records().get(i).name();
        if (page.proven().get(i)
            && !damaged.contains(name)
            && capsule.withGraph(graph -> graph.arrivalOf(name)) < 0) {
          missing.add(name);
        }
      }
      for (List<Hash> names : parts(missing, RECORDS_AT_ONCE)) {
        List<Record> records = proven(reader, names);
        List<Statement> own = new ArrayList<>();
        records.forEach(one -> own.addAll(signatures.getOrDefault(one.name(), List.of())));
        if (!records.isEmpty()) {
          submit(capsule, records, own);
          fetched += records.size();
        }
      }
      from = page.next();
    } while (!page.end());
  }

  /** The records that a server has and proves, with what the owner left of their bodies. */
  private static List<Record> proven(CapsuleReader reader, List<Hash> names) throws ProofException {
    List<Record> records = new ArrayList<>();
    for (ReadResult result : reader.readAll(names)) {
      switch (result) {
        case ReadResult.Proven one -> records.add(one.record());
        case ReadResult.Erased one -> records.add(one.record());
        case ReadResult.Cached one -> throw new AssertionError("this reader has no cache");
        case ReadResult.Unproven one -> {}
        case ReadResult.Absent one -> {}
        case ReadResult.Damaged one -> {}
        case ReadResult.Outside one -> {}
      }
    }
    return records;
  }

  /** Signatures that are not here, of records that are. */
  private void newSignatures(StoredCapsule capsule, Map<Hash, List<Statement>> signatures) {
    List<Statement> missing = new ArrayList<>();
    signatures.forEach((record, all) -> {
      long arrival = capsule.withGraph(graph -> graph.arrivalOf(record));
      boolean taken =
          arrival >= 0
              && capsule.withGraph(graph -> !graph.closed() || graph.isFinal(arrival))
              && !capsule.wantsCopy(arrival);
      if (taken) {
        List<Statement> known = List.copyOf(capsule.signaturesOf(arrival));
        all.stream().filter(one -> !known.contains(one)).forEach(missing::add);
      }
    });
    declare(capsule, missing);
  }

  private void declare(StoredCapsule capsule, List<Statement> all) {
    for (List<Statement> some : parts(all, STATEMENTS_AT_ONCE)) {
      submit(capsule, List.of(), some);
      statements += some.size();
    }
  }

  private static <T> List<List<T>> parts(List<T> all, int size) {
    List<List<T>> parts = new ArrayList<>();
    for (int from = 0; from < all.size(); from += size) {
      parts.add(all.subList(from, Math.min(all.size(), from + size)));
    }
    return parts;
  }

  /** Stores a batch, durably. */
  private void submit(StoredCapsule capsule, List<Record> records, List<Statement> declared) {
    CompletableFuture<Void> stored = new CompletableFuture<>();
    long bytes = 512L * (records.size() + declared.size());
    for (Record record : records) {
      bytes += record.encodedSize();
    }
    store.submit(
        new StoreBatch(
            capsule,
            List.copyOf(records),
            List.copyOf(declared),
            bytes,
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
    try {
      stored.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.STOPPING, "interrupted", e);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof HoldfastException reason
          ? reason
          : new HoldfastException(ErrorCode.INTERNAL, "a batch could not be stored", e);
    }
  }
}
