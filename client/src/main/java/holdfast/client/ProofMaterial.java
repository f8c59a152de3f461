package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ChainProof;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Metadata;
import holdfast.capsule.OfflineProof;
import holdfast.capsule.Receipt;
import holdfast.crypto.Secret;
import holdfast.wire.Answer;
import holdfast.wire.Answer.Standing;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an {@link OfflineProof} is made of: a chain from a signature down to one record, and the
 * path of a leaf if one was asked for.
 */
public final class ProofMaterial {
  private final Metadata metadata;
  private final byte[] chain;
  private final List<ChainProof.Verified> verified;
  private final OfflineProof.@Nullable Leaf leaf;
  private final @Nullable FinalHeads closing;

  private ProofMaterial(
      Metadata metadata,
      byte[] chain,
      List<ChainProof.Verified> verified,
      OfflineProof.@Nullable Leaf leaf,
      @Nullable FinalHeads closing) {
    this.metadata = metadata;
    this.chain = chain;
    this.verified = verified;
    this.leaf = leaf;
    this.closing = closing;
  }

  static ProofMaterial ask(ReaderSession reader, Hash record, int leaf, long timeoutMillis)
      throws ProofException {
    CapsuleSession session = reader.session();
    Read.Builder read =
        Read.newBuilder().setContent(Read.Content.NOTHING).setProve(true).setIgnoreCache(true);
    if (leaf < 0) {
      read.setNames(ServerSession.bytes(record.toBytes()));
    } else {
      read.setLeaves(ServerSession.bytes(new Encoder().hash(record).u32(leaf).toBytes()));
    }
    Answer answer =
        session
            .session()
            .call(Request.newBuilder().setRead(read), Reply.ResultCase.ANSWER, timeoutMillis)
            .getAnswer();
    byte[] statuses = (leaf < 0 ? answer.getStatuses() : answer.getLeafStatuses()).toByteArray();
    if (statuses.length != 1) {
      throw new ProofException(Violation.MISSING, "the answer does not speak of what was asked");
    }
    requireHere(statuses[0], record, leaf);
    byte[] chain = answer.getProof().toByteArray();
    Hash capsule = session.metadata().name();
    List<ChainProof.Verified> verified =
        ChainProof.check(chain, capsule, session.metadata(), null, List.of(record));
    if (!verified.getLast().header().name().equals(record)) {
      throw new ProofException(
          Violation.BROKEN_CHAIN, "the proof does not end at record " + record.brief());
    }
    FinalHeads closing = reader.closing();
    if (closing != null) {
      closing.require(verified, name -> false);
    }
    return new ProofMaterial(
        session.metadata(), chain, verified, leaf < 0 ? null : leaf(answer, leaf), closing);
  }

  private static void requireHere(byte status, Hash record, int leaf) {
    String what = "record " + record.brief() + (leaf < 0 ? "" : "/" + leaf);
    switch (status) {
      case Standing.HERE_VALUE -> {}
      case Standing.UNPROVEN_VALUE ->
          throw new HoldfastException(
              ErrorCode.UNPROVEN, what + " is stored, and no signature leads to it yet");
      case Standing.DAMAGED_VALUE ->
          throw new HoldfastException(
              ErrorCode.DAMAGED, what + " is damaged on the server, which does not serve it");
      case Standing.OUTSIDE_VALUE -> throw CapsuleReader.outside(record);
      case Standing.ERASED_VALUE ->
          throw new HoldfastException(ErrorCode.NOT_FOUND, what + " was erased by the owner");
      default ->
          throw new HoldfastException(ErrorCode.NOT_FOUND, "the server does not have " + what);
    }
  }

  private static OfflineProof.Leaf leaf(Answer answer, int index) throws ProofException {
    Decoder in = new Decoder(answer.getLeaves().toByteArray(), "answer");
    byte[] sealed = in.bytes32(Limits.LEAF_BYTES);
    List<Hash> path = new ArrayList<>();
    for (int left = in.u8(); left > 0; left--) {
      path.add(in.hash());
    }
    in.end();
    return new OfflineProof.Leaf(index, Bytes.wrap(sealed), path);
  }

  /** The headers of the chain, each proven; the first is signed, the last is the record. */
  public List<ChainProof.Verified> chain() {
    return List.copyOf(verified);
  }

  /**
   * The proof file, verified as a stranger would.
   *
   * @param recordKey disclosed key of the record; null to keep the content sealed
   */
  public byte[] file(@Nullable Secret recordKey, List<Receipt.Extract> receipts)
      throws ProofException {
    byte[] file =
        OfflineProof.encode(
            metadata,
            chain,
            leaf,
            recordKey,
            receipts,
            closing == null ? null : closing.statement());
    OfflineProof.verify(file);
    return file;
  }
}
