package holdfast.node;

import com.google.protobuf.ByteString;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.wire.Answer;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** Takes answers apart and puts them together wrongly. */
final class Forgery {
  static final int SIGNED = 0;
  static final int POINTED_AT = 1;
  static final int KNOWN = 2;

  private Forgery() {}

  /** Alters answers and leaves all other replies alone. */
  static UnaryOperator<Reply> answers(UnaryOperator<Answer> how) {
    return reply ->
        reply.hasAnswer()
            ? reply.toBuilder().setAnswer(how.apply(reply.getAnswer())).build()
            : reply;
  }

  /** Alters the records of answers. */
  static UnaryOperator<Reply> records(UnaryOperator<List<Record>> how) {
    return answers(answer -> {
      List<Record> records = new ArrayList<>(recordsOf(answer));
      return answer.toBuilder().setRecords(bytes(Record.encodeAll(how.apply(records)))).build();
    });
  }

  /** Alters the proofs of answers. */
  static UnaryOperator<Reply> proofs(UnaryOperator<List<Link>> how) {
    return answers(answer ->
        answer.toBuilder()
            .setProof(encode(how.apply(new ArrayList<>(linksOf(answer.getProof())))))
            .build());
  }

  /** Alters the leaves of answers. */
  static UnaryOperator<Reply> leaves(UnaryOperator<List<Leaf>> how) {
    return answers(answer -> {
      Encoder out = new Encoder();
      for (Leaf leaf : how.apply(new ArrayList<>(leavesOf(answer.getLeaves())))) {
        out.bytes32(leaf.sealed().toByteArray()).u8(leaf.siblings().size());
        leaf.siblings().forEach(out::hash);
      }
      return answer.toBuilder().setLeaves(bytes(out.toBytes())).build();
    });
  }

  /** A header of a proof and the reason given for it. */
  record Link(RecordHeader header, int reason, int number, ByteString signature) {
    static Link signed(RecordHeader header, int signer, byte[] signature) {
      return new Link(header, SIGNED, signer, bytes(signature));
    }

    static Link pointedAt(RecordHeader header, int position) {
      return new Link(header, POINTED_AT, position, ByteString.EMPTY);
    }

    static Link known(RecordHeader header) {
      return new Link(header, KNOWN, 0, ByteString.EMPTY);
    }
  }

  /** A leaf of an answer and its path. */
  record Leaf(ByteString sealed, List<Hash> siblings) {}

  static List<Record> recordsOf(Answer answer) {
    try {
      return Record.readAll(answer.getRecords().toByteArray(), 1 << 14);
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  static List<Link> linksOf(ByteString proof) {
    byte[] all = proof.toByteArray();
    Decoder in = new Decoder(all, "proof");
    List<Link> links = new ArrayList<>();
    try {
      if (all.length == 0) {
        return links;
      }
      for (int left = in.u32(Integer.MAX_VALUE); left > 0; left--) {
        RecordHeader header = RecordHeader.read(all, in);
        int reason = in.u8();
        links.add(
            switch (reason) {
              case SIGNED -> Link.signed(header, in.u16(), in.raw(64));
              case POINTED_AT -> Link.pointedAt(header, in.u32(Integer.MAX_VALUE));
              default -> Link.known(header);
            });
      }
      in.end();
      return links;
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  static ByteString encode(List<Link> links) {
    Encoder out = new Encoder();
    out.u32(links.size());
    for (Link link : links) {
      out.raw(link.header().unsafeBytes()).u8(link.reason());
      switch (link.reason()) {
        case SIGNED -> out.u16(link.number()).raw(link.signature().toByteArray());
        case POINTED_AT -> out.u32(link.number());
        default -> {}
      }
    }
    return bytes(out.toBytes());
  }

  private static List<Leaf> leavesOf(ByteString leaves) {
    Decoder in = new Decoder(leaves.toByteArray(), "leaves");
    List<Leaf> all = new ArrayList<>();
    try {
      while (in.remaining() > 0) {
        ByteString sealed = bytes(in.bytes32(1 << 24));
        List<Hash> siblings = new ArrayList<>();
        for (int left = in.u8(); left > 0; left--) {
          siblings.add(in.hash());
        }
        all.add(new Leaf(sealed, siblings));
      }
      return all;
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  /** The same header with other backpointers; so a record of another name. */
  static RecordHeader pointing(RecordHeader like, List<Hash> at) {
    return RecordHeader.of(
        like.capsule(),
        like.writer(),
        like.timeMillis(),
        like.epoch(),
        like.salt(),
        like.counter(),
        like.keyCommitment(),
        like.bodyRoot(),
        like.leafCount(),
        like.sealedSize(),
        at);
  }

  static ByteString bytes(byte... array) {
    return ByteString.copyFrom(array);
  }
}
