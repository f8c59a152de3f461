package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Body;
import holdfast.capsule.ChainProof;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.VerificationCache;
import holdfast.capsule.Voucher;
import holdfast.wire.Answer;
import holdfast.wire.Answer.Standing;
import holdfast.wire.Read;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Checks one answer: first everything, then the cache learns of it. */
final class AnswerCheck {
  private final ReaderSession reader;
  private final Hash capsule;
  private final VerificationCache cache;
  private final PendingRead.Message read;
  private final Answer answer;
  private final boolean adds;
  private final @Nullable FinalHeads closing;
  private final List<Statement.Erasure> erasures = new ArrayList<>();
  private final Map<Hash, ChainProof.Verified> proven = new HashMap<>();
  private final Map<Hash, RecordHeader> received = new HashMap<>();

  AnswerCheck(
      ReaderSession reader, Hash capsule, PendingRead.Message read, Answer answer, boolean adds)
      throws ProofException {
    this.reader = reader;
    this.capsule = capsule;
    this.closing = reader.closing();
    this.cache = reader.cache();
    this.read = read;
    this.answer = answer;
    this.adds = adds;
  }

  PendingRead.Results run() throws ProofException {
    byte[] statuses = answer.getStatuses().toByteArray();
    byte[] leafStatuses = answer.getLeafStatuses().toByteArray();
    if (statuses.length != read.names.size() || leafStatuses.length != read.leaves.size()) {
      throw new ProofException(
          Violation.MISSING,
          "the answer speaks of "
              + statuses.length
              + " records and "
              + leafStatuses.length
              + " leaves; asked were "
              + read.names.size()
              + " and "
              + read.leaves.size());
    }
    readErasures();
    List<@Nullable Record> records = records(statuses);
    Set<Hash> targets = new LinkedHashSet<>();
    for (int i = 0; i < statuses.length; i++) {
      if (statuses[i] == Standing.HERE_VALUE) {
        targets.add(read.names.get(i));
      }
    }
    for (int i = 0; i < leafStatuses.length; i++) {
      if (leafStatuses[i] == Standing.HERE_VALUE) {
        targets.add(read.leaves.get(i).record());
      }
    }
    List<ChainProof.Verified> chain =
        ChainProof.check(
            answer.getProof().toByteArray(), capsule, reader.metadata(), cache, targets);
    if (closing != null) {
      closing.require(chain, name -> cache.record(name) != null);
    }
    chain.forEach(one -> proven.put(one.header().name(), one));
    LeafProof.Verifier leafVerifier = new LeafProof.Verifier(cache);
    List<ReadResult.LeafResult> leaves = leaves(leafStatuses, leafVerifier);
    List<ReadResult> results = new ArrayList<>(statuses.length);
    for (int i = 0; i < statuses.length; i++) {
      results.add(result(read.names.get(i), statuses[i], records.get(i)));
    }
    reader.countProofHeaders(chain.size());
    if (adds) {
      ChainProof.admit(chain, cache);
      leafVerifier.admit(cache);
    }
    for (Hash target : targets) {
      keepHeader(target);
    }
    return new PendingRead.Results(results, leaves);
  }

  private void keepHeader(Hash name) {
    ChainProof.Verified verified = proven.get(name);
    RecordHeader header = verified != null ? verified.header() : received.get(name);
    if (header != null) {
      reader.keep(header);
    }
  }

  private List<@Nullable Record> records(byte[] statuses) throws ProofException {
    byte[] encoded = answer.getRecords().toByteArray();
    Decoder in = new Decoder(encoded, "answer");
    List<@Nullable Record> records = new ArrayList<>(statuses.length);
    for (int i = 0; i < statuses.length; i++) {
      Record record = null;
      if (statuses[i] == Standing.HERE_VALUE || statuses[i] == Standing.UNPROVEN_VALUE) {
        if (read.content != Read.Content.NOTHING) {
          record = Record.read(encoded, in);
          record.expect(capsule, read.names.get(i));
          boolean leftOut =
              read.content == Read.Content.RECORDS && record.state() == Record.State.HEADER_ONLY;
          if (record.state() != Record.State.HEADER_ONLY) {
            record.expectErased(erasures);
          } else if (leftOut) {
            requireNoRoom(record, in.position());
            BodyParts.Fetched fetched = reader.fetch(record.header());
            erasures.addAll(fetched.erasures());
            record = fetched.record();
          }
          received.put(read.names.get(i), record.header());
        }
      } else if (statuses[i] == Standing.OUTSIDE_VALUE) {
        requireClosed();
      } else if (statuses[i] != Standing.ABSENT_VALUE && statuses[i] != Standing.DAMAGED_VALUE) {
        throw in.malformed("gives an unknown status");
      }
      records.add(record);
    }
    in.end();
    return records;
  }

  /** A body may be left out of an answer, to be fetched in parts, only if it has no room there. */
  private void requireNoRoom(Record record, int before) throws ProofException {
    RecordHeader header = record.header();
    if (before + header.sealedSize() + 4L * header.leafCount() < Limits.LEAF_BYTES) {
      record.expectErased(erasures);
    }
  }

  private ReadResult result(Hash name, byte status, @Nullable Record received)
      throws ProofException {
    if (status == Standing.ABSENT_VALUE) {
      return new ReadResult.Absent(name);
    }
    if (status == Standing.DAMAGED_VALUE) {
      return new ReadResult.Damaged(name);
    }
    if (status == Standing.OUTSIDE_VALUE) {
      return new ReadResult.Outside(name);
    }
    Record record = received;
    if (record == null) {
      ChainProof.Verified verified = proven.get(name);
      if (verified == null) {
        // Cached: the server sends nothing, and nothing has to be sent.
        return new ReadResult.Cached(name, voucher(name));
      }
      record = new Record(verified.header(), Record.State.HEADER_ONLY, null);
    }
    if (status == Standing.UNPROVEN_VALUE) {
      return new ReadResult.Unproven(name, record);
    }
    if (record.state() == Record.State.ERASED || record.state() == Record.State.PARTLY_ERASED) {
      RecordHeader header = record.header();
      return new ReadResult.Erased(
          name, record, voucher(name), erasures.stream().filter(e -> e.touches(header)).toList());
    }
    return new ReadResult.Proven(name, record, voucher(name));
  }

  private void requireClosed() throws ProofException {
    if (closing == null) {
      throw new ProofException(
          Violation.MISSING,
          "the server calls a record outside of the final heads and shows no succession of the owner");
    }
  }

  private Voucher voucher(Hash name) throws ProofException {
    ChainProof.Verified verified = proven.get(name);
    Voucher cached = cache.record(name);
    if (verified != null && (cached == null || !cached.authored())) {
      return verified.voucher();
    }
    if (cached == null) {
      throw new ProofException(Violation.BROKEN_CHAIN, "record " + name.brief() + " is not proven");
    }
    return cached;
  }

  private void readErasures() throws ProofException {
    for (var encoded : answer.getErasuresList()) {
      Statement statement = Statement.decode(encoded.toByteArray());
      statement.verify(reader.metadata());
      if (statement instanceof Statement.Erasure erasure && erasure.capsule().equals(capsule)) {
        erasures.add(erasure);
      }
    }
  }

  private void requireErased(ReadResult.LeafName name) throws ProofException {
    RecordHeader header = headerOf(name.record());
    if (erasures.stream().noneMatch(e -> e.covers(header, name.leaf()))) {
      throw new ProofException(
          Violation.MISSING,
          "the server leaves out leaf "
              + name.leaf()
              + " of record "
              + name.record().brief()
              + " and shows no statement of the owner that erases it");
    }
  }

  private List<ReadResult.LeafResult> leaves(byte[] statuses, LeafProof.Verifier verifier)
      throws ProofException {
    Decoder in = new Decoder(answer.getLeaves().toByteArray(), "answer");
    List<ReadResult.LeafResult> results = new ArrayList<>(statuses.length);
    for (int i = 0; i < statuses.length; i++) {
      ReadResult.LeafName name = read.leaves.get(i);
      switch (statuses[i]) {
        case Standing.HERE_VALUE, Standing.UNPROVEN_VALUE -> {
          byte[] sealed = in.bytes32(Limits.LEAF_BYTES);
          List<Hash> siblings = new ArrayList<>();
          for (int left = in.u8(); left > 0; left--) {
            siblings.add(in.hash());
          }
          if (statuses[i] == Standing.UNPROVEN_VALUE) {
            results.add(missing(name, ReadResult.LeafResult.Why.UNPROVEN));
          } else {
            RecordHeader header = headerOf(name.record());
            verifier.verify(header, name.leaf(), Body.hashOf(sealed), siblings);
            results.add(
                new ReadResult.LeafResult.Proven(
                    name, header, Bytes.wrap(sealed), voucher(name.record())));
          }
        }
        case Standing.ABSENT_VALUE -> results.add(missing(name, ReadResult.LeafResult.Why.ABSENT));
        case Standing.DAMAGED_VALUE ->
            results.add(missing(name, ReadResult.LeafResult.Why.DAMAGED));
        case Standing.OUTSIDE_VALUE -> {
          requireClosed();
          results.add(missing(name, ReadResult.LeafResult.Why.OUTSIDE));
        }
        case Standing.ERASED_VALUE -> {
          requireErased(name);
          results.add(missing(name, ReadResult.LeafResult.Why.ERASED));
        }
        default -> throw in.malformed("gives an unknown status");
      }
    }
    in.end();
    return results;
  }

  private ReadResult.LeafResult missing(ReadResult.LeafName name, ReadResult.LeafResult.Why why) {
    return new ReadResult.LeafResult.Missing(name, why);
  }

  private RecordHeader headerOf(Hash name) throws ProofException {
    ChainProof.Verified verified = proven.get(name);
    RecordHeader header = verified != null ? verified.header() : received.get(name);
    if (header == null) {
      header = read.known.get(name);
    }
    if (header == null) {
      header = reader.kept(name);
    }
    if (header == null) {
      throw new ProofException(
          Violation.MISSING,
          "the answer holds a leaf of record " + name.brief() + " without its header");
    }
    return header;
  }
}
