package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.capsule.Freshness;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.Statement;
import holdfast.crypto.Providers;
import holdfast.node.replication.Replication;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import holdfast.wire.CapsuleStatus;
import holdfast.wire.FreshAnswer;
import holdfast.wire.HoldAnswer;
import holdfast.wire.OwnerBytes;
import holdfast.wire.Reply;
import holdfast.wire.Resolve;
import holdfast.wire.Resolved;
import holdfast.wire.ServerStatus;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a client asks about the server and the session's capsule: heads, names, status. */
final class Inquiries {
  private static final int NAMES_RESOLVED = 8;

  /** Owners that a status lists at most. */
  private static final int OWNERS = 16;

  /** The version that the server states. */
  static final String VERSION =
      java.util.Objects.requireNonNullElse(
          Session.class.getPackage().getImplementationVersion(), "development");

  private final Session session;
  private final CapsuleService service;

  Inquiries(Session session) {
    this.session = session;
    this.service = session.service;
  }

  /**
   * The heads as they are now, once all of them are durable. One more than an answer may list is
   * asked for, so that the answer can say when there are more.
   *
   * @param closing the succession that the client has been told of; null for none
   */
  void fresh(long id, Hash nonce, Statement.@Nullable Succession closing) {
    StoredCapsule current = session.capsule();
    @SuppressWarnings("ArrayRecordComponent") // lives for one request
    record Heads(long records, long[] proven, long[] tips) {}
    Heads heads =
        current.withGraph(graph ->
            closing == null
                ? new Heads(
                    graph.size(),
                    graph.provenHeads(Limits.HEADS + 1),
                    graph.unprovenTips(Limits.HEADS + 1))
                : new Heads(graph.size(), provenOf(graph, closing.finalHeads()), new long[0]));
    session.whenSynced(
        id,
        () ->
            service.workers.execute(() -> {
              session.answering(
                  id,
                  () -> {
                    Freshness answer =
                        Freshness.sign(
                            service.identity,
                            current.name(),
                            nonce,
                            System.currentTimeMillis(),
                            heads.records(),
                            namesOf(current, heads.proven()),
                            namesOf(current, heads.tips()));
                    session.send(
                        Reply.newBuilder()
                            .setId(id)
                            .setFresh(
                                FreshAnswer.newBuilder()
                                    .setAnswer(Session.bytes(answer.encode()))));
                  });
              session.batchEnds();
            }));
  }

  /** How much is held, once all of it is durable; counted when its turn comes. */
  void hold(long id, Hash salt) {
    StoredCapsule current = session.capsule();
    session.batchBegins();
    try {
      service.counting.take(
          session.from,
          session,
          session::gone,
          () -> {
            session.answering(id, () -> count(id, current, salt));
            session.batchEnds();
          });
    } catch (HoldfastException e) {
      session.batchEnds();
      throw e;
    }
  }

  private void count(long id, StoredCapsule current, Hash salt) {
    byte[] answer = service.holdings.sign(current, salt, session::gone).encode();
    session.whenSynced(
        id,
        () -> {
          session.send(
              Reply.newBuilder()
                  .setId(id)
                  .setHold(HoldAnswer.newBuilder().setAnswer(Session.bytes(answer))));
          session.batchEnds();
        });
  }

  private static long[] provenOf(RecordGraph graph, List<Hash> finalHeads) {
    return Arrays.stream(graph.arrivalsOf(finalHeads))
        .filter(arrival -> arrival >= 0 && graph.witness(arrival).proven())
        .toArray();
  }

  private static List<Hash> namesOf(StoredCapsule capsule, long[] arrivals) {
    return Arrays.stream(arrivals).mapToObj(a -> capsule.headerOf(a).name()).toList();
  }

  void resolve(long id, Resolve resolve) {
    String prefix = resolve.getPrefix();
    if (!prefix.matches("[0-9a-f]{1,64}")) {
      throw new HoldfastException(
          ErrorCode.INVALID, "the beginning of a name is 1 to 64 lower-case hexadecimal digits");
    }
    List<Hash> found =
        resolve.getRecord()
            ? session.capsule().namesThatBegin(prefix, NAMES_RESOLVED)
            : service.store.capsulesThatBegin(prefix, NAMES_RESOLVED);
    session.send(
        Reply.newBuilder()
            .setId(id)
            .setResolved(Resolved.newBuilder().setNames(Session.concat(found))));
  }

  void status(long id, @Nullable StoredCapsule current) {
    ServerStatus.Builder status =
        ServerStatus.newBuilder()
            .setVersion(VERSION)
            .setStartedMillis(service.startedMillis)
            .setSessions(service.sessions())
            .setCapsules(service.store.capsuleCount())
            .setDiskFreeBytes(service.store.freeBytes())
            .setDataBytes(service.store.dataBytes())
            .setCrypto(Providers.description())
            .setWritable(service.store.writable())
            .setDamaged(service.store.damagedCount())
            .setScrubbedMillis(service.scrubber.progress().completedMillis());
    long limit = service.store.usage().limit();
    status.setOwnerBytesLimit(limit == StoreOptions.UNLIMITED ? 0 : limit);
    Metrics.most(service.store.usage().ofOwners(), OWNERS)
        .forEach((owner, bytes) ->
            status.addOwners(
                OwnerBytes.newBuilder()
                    .setOwner(Session.bytes(owner.bytes().toArray()))
                    .setBytes(bytes)));
    Replication replication = service.replication;
    if (replication != null) {
      replication.lies().forEach(lie -> status.addLies(lie.toStatus()));
    }
    if (current != null) {
      CapsuleStatus.Builder of =
          CapsuleService.status(current)
              .setBytes(current.usedBytes())
              .setOwnerBytes(service.store.usage().ofOwner(current.metadata().owner()));
      if (replication != null) {
        of.addAllPeers(service.peersOf(replication, current.name()));
      }
      status.setCapsule(of);
    }
    session.send(Reply.newBuilder().setId(id).setStatus(status));
  }
}
