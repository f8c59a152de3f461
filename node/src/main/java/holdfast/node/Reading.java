package holdfast.node;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.Absence;
import holdfast.capsule.CacheMirror;
import holdfast.capsule.ChainProof;
import holdfast.capsule.LeafProof;
import holdfast.capsule.ProofPlan;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.store.StoredCapsule;
import holdfast.wire.Absent;
import holdfast.wire.AbsentAnswer;
import holdfast.wire.Answer;
import holdfast.wire.Answer.Standing;
import holdfast.wire.BodyPart;
import holdfast.wire.CacheReset;
import holdfast.wire.Page;
import holdfast.wire.Range;
import holdfast.wire.Read;
import holdfast.wire.ReadBody;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.StatementPage;
import holdfast.wire.Statements;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The reading half of a session: records, leaves, proofs, and the mirror of the reader's cache. */
final class Reading {
  private static final Logger LOG = LoggerFactory.getLogger(Reading.class);
  private static final int PAGE_BYTES = 1 << 20;

  /** Room for the largest leaf, and what stands beside it. */
  private static final int ANSWER_BYTES = Limits.LEAF_BYTES + (64 << 10);

  /** A body that is larger does not travel in a page. */
  private static final int PAGED_BODY_BYTES = 4 << 20;

  private static final int PART_BYTES = 4 << 20;
  private static final int ANSWERS_AWAITED = 64;

  /** How often an answer is begun anew because a header on the way was met that is damaged. */
  private static final int ATTEMPTS = 16;

  private static final int LEAF_REF = Hash.SIZE + 4;

  private final Session session;
  private final CapsuleService service;
  private final CRC32C checksum = new CRC32C();
  private final List<Integer> checksums = new ArrayList<>();
  private @Nullable CacheMirror mirror;

  /** The succession that the client has been told of; from then on answers keep to it. */
  private Statement.@Nullable Succession told;

  private long answers;
  private long acknowledged;

  Reading(Session session) {
    this.session = session;
    this.service = session.service;
  }

  // ---- The mirror
  // ---------------------------------------------------------------------------------

  int mirrorCapacity() {
    return mirror == null ? 0 : mirror.capacity();
  }

  /** Sets up the mirror within the global budget; says which of the cached names it took. */
  byte[] mirror(StoredCapsule capsule, int asked, List<Hash> cached) {
    close();
    answers = 0;
    acknowledged = 0;
    checksum.reset();
    checksums.clear();
    byte[] taken = new byte[cached.size()];
    int entries = Math.min(Math.max(asked, 0), Limits.CACHE_ENTRIES);
    long used = service.mirroredEntries.addAndGet(entries);
    if (used > service.options.mirroredEntries()) {
      long over = Math.min(entries, used - service.options.mirroredEntries());
      service.mirroredEntries.addAndGet(-over);
      entries -= (int) over;
    }
    told = capsule.succession();
    if (entries == 0) {
      return taken;
    }
    CacheMirror made = new CacheMirror(entries);
    long[] arrivals = capsule.withGraph(graph -> graph.arrivalsOf(cached));
    // What a reader of a closed capsule has cached, it may have cached before it knew.
    for (int i = 0; told == null && i < taken.length; i++) {
      if (arrivals[i] >= 0) {
        made.add(CacheMirror.key(arrivals[i]));
        taken[i] = 1;
      }
    }
    mirror = made;
    return taken;
  }

  void close() {
    service.mirroredEntries.addAndGet(-mirrorCapacity());
    mirror = null;
  }

  /** Applies what the reader has verified; out of step, both sides begin anew. */
  void acknowledge(Request request) {
    CacheMirror current = mirror;
    long upTo = request.getAcknowledged();
    if (current == null || upTo <= acknowledged) {
      return;
    }
    long ahead = upTo - acknowledged;
    if (ahead > checksums.size() || checksums.get((int) ahead - 1) != request.getChecksum()) {
      reset(CacheReset.getDefaultInstance());
      return;
    }
    current.acknowledge(upTo);
    checksums.subList(0, (int) ahead).clear();
    acknowledged = upTo;
  }

  private void reset(CacheReset why) {
    CacheMirror current = mirror;
    mirror = current == null ? null : new CacheMirror(current.capacity());
    answers = 0;
    acknowledged = 0;
    checksum.reset();
    checksums.clear();
    session.send(Reply.newBuilder().setCacheReset(why));
  }

  /** Shows the client the succession before the first reply that is made under it. */
  void tellIfClosed(@Nullable StoredCapsule capsule) {
    Statement.Succession closing = capsule == null ? null : capsule.succession();
    if (closing != null && told == null) {
      told = closing;
      reset(CacheReset.newBuilder().setSuccession(Session.bytes(closing.encode())).build());
    }
  }

  Statement.@Nullable Succession told() {
    return told;
  }

  byte[] toldSuccession() {
    return told == null ? new byte[0] : told.encode();
  }

  // ---- Records, leaves, proofs
  // -----------------------------------------------------------------------

  private record LeafRef(Hash record, int leaf) {}

  private static List<LeafRef> leafRefs(byte[] encoded) throws ProofException {
    Decoder in = new Decoder(encoded, "list of leaves");
    if (encoded.length / LEAF_REF > Limits.NAMES_PER_REQUEST) {
      throw in.malformed("names more than " + Limits.NAMES_PER_REQUEST + " leaves");
    }
    List<LeafRef> refs = new ArrayList<>();
    while (in.remaining() > 0) {
      refs.add(new LeafRef(in.hash(), in.u32(Limits.LEAVES - 1)));
    }
    return refs;
  }

  void read(long id, Read read) throws ProofException {
    StoredCapsule capsule = session.capsule();
    List<Hash> names = Session.names(read.getNames(), Limits.NAMES_PER_REQUEST);
    List<LeafRef> leaves = leafRefs(read.getLeaves().toByteArray());
    CacheMirror cache = read.getIgnoreCache() ? null : mirror;
    if (cache != null && (cache.awaiting() >= ANSWERS_AWAITED || cache.overdue())) {
      cache = null;
    }
    List<Hash> wanted = new ArrayList<>(names);
    leaves.forEach(ref -> wanted.add(ref.record()));
    for (int attempt = 1; ; attempt++) {
      Located located = locate(capsule, wanted, read.getProve(), cache, told != null);
      Answering answer = new Answering(capsule, read, cache, located.plan());
      for (int i = 0; i < names.size(); i++) {
        answer.name(located.arrivals()[i], located.standing()[i]);
      }
      for (int i = 0; i < leaves.size(); i++) {
        int at = names.size() + i;
        answer.leaf(located.arrivals()[at], located.standing()[at], leaves.get(i).leaf());
      }
      try {
        session.send(Reply.newBuilder().setId(id).setAnswer(answer.finish(names.size())));
        return;
      } catch (HoldfastException e) {
        // A header on the way was met that is damaged. It is in the quarantine now, and the next
        // plan leaves out what can only be proven through it.
        damaged(e);
        if (attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  @SuppressWarnings("ArrayRecordComponent") // lives for one request, within this class
  private record Located(long[] arrivals, byte[] standing, ProofPlan plan) {}

  private static Located locate(
      StoredCapsule capsule,
      List<Hash> wanted,
      boolean prove,
      @Nullable CacheMirror cache,
      boolean closed) {
    return capsule.withGraph(graph -> {
      long[] arrivals = graph.arrivalsOf(wanted);
      byte[] standing = new byte[arrivals.length];
      ProofPlan plan = new ProofPlan();
      for (int i = 0; i < arrivals.length; i++) {
        long arrival = arrivals[i];
        if (arrival < 0) {
          standing[i] = Standing.ABSENT_VALUE;
        } else if (closed && !graph.isFinal(arrival)) {
          standing[i] = Standing.OUTSIDE_VALUE;
        } else if (prove) {
          ProofPlan.Outcome outcome =
              closed
                  ? plan.addFinal(graph, cache, arrival, capsule::breaksProofs)
                  : plan.add(graph, cache, arrival, capsule::breaksProofs);
          standing[i] =
              switch (outcome) {
                case PROVEN -> Standing.HERE_VALUE;
                case UNPROVEN -> Standing.UNPROVEN_VALUE;
                case BLOCKED -> Standing.DAMAGED_VALUE;
              };
        }
      }
      return new Located(arrivals, standing, plan);
    });
  }

  /** The status of what is damaged; whatever else went wrong goes on its way. */
  private byte damaged(HoldfastException e) {
    if (e.code() != ErrorCode.DAMAGED) {
      throw e;
    }
    service.metrics.damaged.increment();
    LOG.error("damaged data was met and is not served: {}", e.getMessage());
    return Standing.DAMAGED_VALUE;
  }

  /** Puts one answer together. */
  private final class Answering {
    private final StoredCapsule capsule;
    private final Read read;
    private final @Nullable CacheMirror cache;
    private final ProofPlan plan;
    private final Encoder records = new Encoder(4096);
    private final Encoder leaves = new Encoder(4096);
    private final Encoder statuses = new Encoder();
    private final Encoder leafStatuses = new Encoder();
    private final Set<Statement> erasures = new HashSet<>();
    private final LeafProof.Prover prover;
    private final StoredCapsule.LeafReads sealedLeaves;

    Answering(StoredCapsule capsule, Read read, @Nullable CacheMirror cache, ProofPlan plan) {
      this.capsule = capsule;
      this.read = read;
      this.cache = cache;
      this.plan = plan;
      this.prover = new LeafProof.Prover(cache);
      this.sealedLeaves = capsule.leafReads();
    }

    void name(long arrival, byte standing) {
      if (standing == Standing.ABSENT_VALUE || standing == Standing.OUTSIDE_VALUE) {
        statuses.u8(standing);
        return;
      }
      try {
        refuseBlocked(arrival, standing);
        switch (read.getContent()) {
          case RECORDS -> {
            Record record = record(capsule, arrival, ANSWER_BYTES - records.size() - leaves.size());
            if (record.state().bodyGone()) {
              erasures.addAll(capsule.erasuresOf(record.header()));
            }
            record.encode(records);
          }
          case HEADERS ->
              new Record(capsule.headerOf(arrival), Record.State.HEADER_ONLY, null).encode(records);
          case NOTHING, UNRECOGNIZED -> {}
        }
        statuses.u8(standing);
        service.metrics.recordsRead.increment();
      } catch (HoldfastException e) {
        statuses.u8(damaged(e));
      }
      limit();
    }

    private static void refuseBlocked(long arrival, byte standing) {
      if (standing == Standing.DAMAGED_VALUE) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "record number " + arrival + " is damaged, or what proves it here is");
      }
    }

    void leaf(long arrival, byte standing, int leaf) {
      if (standing == Standing.ABSENT_VALUE || standing == Standing.OUTSIDE_VALUE) {
        leafStatuses.u8(standing);
        return;
      }
      try {
        refuseBlocked(arrival, standing);
        RecordHeader header = capsule.headerOf(arrival);
        if (leaf >= header.leafCount()) {
          leafStatuses.u8(Standing.ABSENT_VALUE);
          return;
        }
        byte[] sealed = sealedLeaves.sealed(arrival, header, leaf);
        if (sealed == null) {
          Statement erasure = capsule.erasureOf(header, leaf);
          if (erasure != null) {
            erasures.add(erasure);
          }
          leafStatuses.u8(Standing.ERASED_VALUE);
          return;
        }
        List<Hash> siblings =
            read.getProve()
                ? prover.prove(arrival, header.leafCount(), leaf, capsule.nodes(arrival, header))
                : List.of();
        leaves.bytes32(sealed).u8(siblings.size());
        siblings.forEach(leaves::hash);
        leafStatuses.u8(standing);
        service.metrics.recordsRead.increment();
      } catch (HoldfastException e) {
        leafStatuses.u8(damaged(e));
      }
      limit();
    }

    private void limit() {
      if (records.size() + leaves.size() > ANSWER_BYTES) {
        throw new HoldfastException(
            ErrorCode.TOO_LARGE, "the answer would be too large; ask for fewer records at once");
      }
    }

    Answer finish(int names) {
      Answer.Builder answer =
          Answer.newBuilder()
              .setStatuses(Session.bytes(statuses.toBytes()))
              .setRecords(Session.bytes(records.toBytes()))
              .setLeafStatuses(Session.bytes(leafStatuses.toBytes()))
              .setLeaves(Session.bytes(leaves.toBytes()));
      erasures.forEach(statement -> answer.addErasures(Session.bytes(statement.encode())));
      if (read.getProve()) {
        byte[] proof = ChainProof.encode(plan, capsule);
        answer.setProof(Session.bytes(proof));
        service.metrics.proofs.increment(names + (double) leafStatuses.size());
        service.metrics.proofHeaders.increment(plan.size());
        if (cache != null) {
          expectAcknowledgement(cache, answer, proof);
        }
      }
      return answer.build();
    }

    private void expectAcknowledgement(CacheMirror current, Answer.Builder answer, byte[] proof) {
      long[] chain = plan.additions();
      long[] nodes = prover.additions();
      if (chain.length + nodes.length == 0) {
        return;
      }
      long[] additions = Arrays.copyOf(chain, chain.length + nodes.length);
      System.arraycopy(nodes, 0, additions, chain.length, nodes.length);
      answers++;
      current.await(answers, additions);
      checksum.update(proof);
      checksum.update(leaves.toBytes());
      checksums.add((int) checksum.getValue());
      answer.setAnswer(answers);
    }
  }

  /** A record with its body, or without a body that is there and has no room. */
  private static Record record(StoredCapsule capsule, long arrival, long room) {
    RecordHeader header = capsule.headerOf(arrival);
    boolean fits = header.size() + header.sealedSize() + 4L * header.leafCount() < room;
    return fits || !capsule.withGraph(graph -> graph.bodyState(arrival)).hasBody()
        ? capsule.record(arrival)
        : new Record(header, Record.State.HEADER_ONLY, null);
  }

  /** A part of a body that had no room in an answer or a page. */
  void body(long id, ReadBody ask) throws ProofException {
    StoredCapsule capsule = session.capsule();
    Hash name = Session.names(ask.getName(), 1).getFirst();
    Located located = locate(capsule, List.of(name), false, null, told != null);
    byte standing = located.standing()[0];
    BodyPart.Builder part = BodyPart.newBuilder();
    if (standing == Standing.HERE_VALUE) {
      try {
        standing = fill(part, capsule, located.arrivals()[0], ask.getFrom());
      } catch (HoldfastException e) {
        standing = damaged(e);
      }
    }
    session.send(Reply.newBuilder().setId(id).setBody(part.setStatus(standing)));
  }

  private static byte fill(BodyPart.Builder part, StoredCapsule capsule, long arrival, int from) {
    RecordHeader header = capsule.headerOf(arrival);
    if (from < 0 || from >= header.leafCount()) {
      return Standing.ABSENT_VALUE;
    }
    StoredCapsule.Leaves leaves = capsule.leaves(arrival, header, from, PART_BYTES);
    capsule
        .erasuresOf(header)
        .forEach(statement -> part.addErasures(Session.bytes(statement.encode())));
    if (leaves == null) {
      return Standing.ERASED_VALUE;
    }
    part.setLeaves(Session.bytes(leaves.encoded())).setNext(leaves.next());
    return Standing.HERE_VALUE;
  }

  /** Says whether a record is here; that it is not, under the server's signature. */
  void absent(long id, Absent ask) throws ProofException {
    StoredCapsule capsule = session.capsule();
    Hash name = Session.names(ask.getName(), 1).getFirst();
    Hash nonce = Session.names(ask.getNonce(), 1).getFirst();
    AbsentAnswer.Builder answer = AbsentAnswer.newBuilder();
    if (capsule.withGraph(graph -> graph.arrivalOf(name)) < 0) {
      Absence absence =
          Absence.sign(service.identity, capsule.name(), nonce, System.currentTimeMillis(), name);
      answer.setAnswer(Session.bytes(absence.encode()));
    }
    session.send(Reply.newBuilder().setId(id).setAbsent(answer));
  }

  // ---- Ranges
  // -------------------------------------------------------------------------------------------

  void range(long id, Range range) {
    session.send(Reply.newBuilder().setId(id).setPage(page(session.capsule(), range)));
  }

  Page page(StoredCapsule capsule, Range range) {
    int limit = Math.min(range.getLimit() <= 0 ? 1000 : range.getLimit(), Limits.RECORDS_PER_BATCH);
    boolean timed = range.getToMillis() != 0;
    long size = capsule.withGraph(graph -> graph.size());
    Encoder records = new Encoder(4096);
    Encoder proven = new Encoder();
    List<Long> damaged = new ArrayList<>();
    long at = Math.max(0, range.getFrom());
    for (int count = 0; at < size && count < limit && records.size() < PAGE_BYTES; at++) {
      long arrival = at;
      if (timed) {
        long found =
            capsule.withGraph(
                graph -> graph.mayLieWithin(arrival, range.getFromMillis(), range.getToMillis()));
        at = Math.min(found, size);
        if (at == size) {
          break;
        }
      }
      try {
        if (paged(capsule, range, at, records, proven)) {
          count++;
        }
      } catch (HoldfastException e) {
        damaged(e);
        damaged.add(at);
        count++;
      }
    }
    return Page.newBuilder()
        .setRecords(Session.bytes(records.toBytes()))
        .setProven(Session.bytes(proven.toBytes()))
        .setNext(at)
        .setEnd(at >= size)
        .addAllDamaged(damaged)
        .build();
  }

  /** Adds a record to a page if it is wanted there. */
  private static boolean paged(
      StoredCapsule capsule, Range range, long arrival, Encoder records, Encoder proven) {
    RecordHeader header = capsule.headerOf(arrival);
    if (range.getToMillis() != 0
        && (header.timeMillis() < range.getFromMillis()
            || header.timeMillis() >= range.getToMillis())) {
      return false;
    }
    boolean isProven = capsule.withGraph(graph -> graph.witness(arrival).proven());
    if (range.getProvenOnly() && !isProven) {
      return false;
    }
    Record record =
        switch (range.getContent()) {
          case RECORDS -> record(capsule, arrival, PAGED_BODY_BYTES);
          case HEADERS, NOTHING, UNRECOGNIZED -> new Record(header, Record.State.HEADER_ONLY, null);
        };
    record.encode(records);
    proven.u8(isProven ? 1 : 0);
    return true;
  }

  void statements(long id, Statements ask) {
    int limit = Math.min(ask.getLimit() <= 0 ? 1000 : ask.getLimit(), Limits.RECORDS_PER_BATCH);
    StoredCapsule.StatementPage page =
        session.capsule().statements(ask.getAfter().toByteArray(), limit, ask.getOwnerOnly());
    StatementPage.Builder reply =
        StatementPage.newBuilder().setNext(Session.bytes(page.next())).setEnd(page.end());
    page.statements().forEach(statement -> reply.addStatements(Session.bytes(statement)));
    session.send(Reply.newBuilder().setId(id).setStatements(reply));
  }
}
