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
import holdfast.store.LeafReads;
import holdfast.store.StoredCapsule;
import holdfast.wire.Absent;
import holdfast.wire.AbsentAnswer;
import holdfast.wire.Answer;
import holdfast.wire.Answer.Standing;
import holdfast.wire.BodyPart;
import holdfast.wire.Read;
import holdfast.wire.ReadBody;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers what a session reads: records, leaves, parts of bodies, and what proves them. */
final class Reading {
  private static final Logger LOG = LoggerFactory.getLogger(Reading.class);

  /** Room for the largest leaf, and what stands beside it. */
  private static final int ANSWER_BYTES = Limits.LEAF_BYTES + (64 << 10);

  private static final int PART_BYTES = 4 << 20;

  /** How often an answer is begun anew because a header on the way was met that is damaged. */
  private static final int ATTEMPTS = 16;

  private static final int LEAF_REF = Hash.SIZE + 4;

  private final Session session;
  private final CapsuleService service;
  private final SessionMirror mirror;

  Reading(Session session, SessionMirror mirror) {
    this.session = session;
    this.mirror = mirror;
    this.service = session.service;
  }

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
    CacheMirror cache = read.getIgnoreCache() ? null : mirror.usable();
    List<Hash> wanted = new ArrayList<>(names);
    leaves.forEach(ref -> wanted.add(ref.record()));
    for (int attempt = 1; ; attempt++) {
      Located located = locate(capsule, wanted, read.getProve(), cache, mirror.told() != null);
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
  byte damaged(HoldfastException e) {
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
    private final LeafReads sealedLeaves;

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
          answer.setAnswer(mirror.await(cache, additions(), proof, leaves.toBytes()));
        }
      }
      return answer.build();
    }

    /** What the reader's cache gains: headers, then nodes. */
    private long[] additions() {
      long[] chain = plan.additions();
      long[] nodes = prover.additions();
      long[] all = Arrays.copyOf(chain, chain.length + nodes.length);
      System.arraycopy(nodes, 0, all, chain.length, nodes.length);
      return all;
    }
  }

  /** A record with its body, or without a body that is there and has no room. */
  static Record record(StoredCapsule capsule, long arrival, long room) {
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
    Located located = locate(capsule, List.of(name), false, null, mirror.told() != null);
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
}
