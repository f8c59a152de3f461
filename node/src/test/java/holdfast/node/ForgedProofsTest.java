package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.node.Forgery.Link;
import holdfast.wire.CacheReset;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A server whose proofs do not hold. */
class ForgedProofsTest extends MaliciousServerTest {
  private List<Hash> names = List.of();

  @BeforeEach
  void forget() {
    names = List.of();
  }

  /** Reads the oldest of five records, whose proof is a chain of five headers. */
  private void expect(Violation violation, String words, UnaryOperator<List<Link>> forgery)
      throws Exception {
    if (names.isEmpty()) {
      names = fixture.append(5, CHAIN);
    }
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(Forgery.proofs(forgery));
      refused(violation, words, () -> reader.read(names.getFirst()));
      assertThat(reader.cache().size()).isZero();
    }
  }

  private static List<Link> altered(List<Link> links, int position, Link link) {
    List<Link> altered = new ArrayList<>(links);
    altered.set(position, link);
    return altered;
  }

  @Test
  void theHonestChainHolds() throws Exception {
    names = fixture.append(5, CHAIN);
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      List<List<Link>> seen = new ArrayList<>();
      meddler.alter(
          Forgery.proofs(links -> {
            seen.add(links);
            return links;
          }));
      assertThat(reader.read(names.getFirst())).isInstanceOf(ReadResult.Proven.class);
      assertThat(seen.getFirst()).hasSize(5);
    }
  }

  @Test
  void forgedChainMiddle() throws Exception {
    expect(
        Violation.BROKEN_CHAIN,
        "does not point at",
        links -> {
          RecordHeader middle = links.get(2).header();
          return altered(
              links, 2, Link.pointedAt(Forgery.pointing(middle, List.of(names.getFirst())), 1));
        });
  }

  @Test
  void forgedChainEnd() throws Exception {
    expect(
        Violation.BROKEN_CHAIN,
        "does not reach record",
        links -> links.subList(0, links.size() - 1));
  }

  @Test
  void chainWithoutItsSignature() throws Exception {
    expect(
        Violation.BROKEN_CHAIN,
        "does not come before it",
        links -> altered(links, 0, Link.pointedAt(links.getFirst().header(), 0)));
  }

  @Test
  void knownForSomethingNeverVerified() throws Exception {
    expect(
        Violation.BROKEN_CHAIN,
        "never verified here",
        links -> altered(links, 0, Link.known(links.getFirst().header())));
  }

  @Test
  void nothingAtAll() throws Exception {
    expect(Violation.BROKEN_CHAIN, "does not reach record", links -> List.of());
  }

  @Test
  void linkToALaterHeader() throws Exception {
    expect(
        Violation.BROKEN_CHAIN,
        "does not come before it",
        links -> altered(links, 1, Link.pointedAt(links.get(1).header(), 3)));
  }

  @Test
  void reorderedChain() throws Exception {
    expect(Violation.BROKEN_CHAIN, "does not", List::reversed);
  }

  @Test
  void signatureOfZeros() throws Exception {
    expect(
        Violation.BAD_SIGNATURE,
        "is not by writer 0",
        links -> altered(links, 0, Link.signed(links.getFirst().header(), 0, new byte[64])));
  }

  @Test
  void signatureOfAnotherWriter() throws Exception {
    expect(
        Violation.BAD_SIGNATURE,
        "is not by writer 1",
        links ->
            altered(
                links,
                0,
                Link.signed(
                    links.getFirst().header(), 1, links.getFirst().signature().toByteArray())));
  }

  @Test
  void signatureOfNoWriter() throws Exception {
    for (int signer : new int[] {0, 2, 0xFFFF}) {
      expect(
          Violation.BAD_SIGNATURE,
          "writer " + signer,
          links -> {
            RecordHeader top = links.getFirst().header();
            var forged =
                Statement.WriterSignature.sign(
                    fixture.capsule, top.name(), signer, fixture.stranger);
            return altered(links, 0, Link.signed(top, signer, forged.signature().toArray()));
          });
    }
  }

  @Test
  void signatureOfAnotherRecord() throws Exception {
    expect(
        Violation.BAD_SIGNATURE,
        "is not by writer 0",
        links ->
            altered(
                links.subList(1, links.size()),
                0,
                Link.signed(links.get(1).header(), 0, links.getFirst().signature().toByteArray())));
  }

  @Test
  void headerOfAnotherCapsule() throws Exception {
    Hash other = fixture.create("other").name();
    RecordHeader foreign = RawClient.record(other, 0, List.of(), new byte[1]).header();
    expect(
        Violation.WRONG_CAPSULE,
        "a header of capsule",
        links -> altered(links, 2, Link.pointedAt(foreign, 1)));
  }

  @Test
  void announcedLengthsBeyondAllLimits() throws Exception {
    names = fixture.append(2, CHAIN);
    for (String announced : List.of("7fffffff", "ffffffff", "0000ffff")) {
      byte[] lie = java.util.HexFormat.of().parseHex(announced);
      try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
        meddler.alter(
            Forgery.answers(answer -> answer.toBuilder().setProof(Forgery.bytes(lie)).build()));
        refused(Violation.MALFORMED, "proof", () -> reader.read(names.getFirst()));
      }
    }
  }

  @Test
  void unknownReason() throws Exception {
    names = fixture.append(1, CHAIN);
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(
          Forgery.answers(answer -> {
            byte[] proof = answer.getProof().toByteArray();
            proof[4 + Forgery.linksOf(answer.getProof()).getFirst().header().size()] = 9;
            return answer.toBuilder().setProof(Forgery.bytes(proof)).build();
          }));
      refused(Violation.MALFORMED, "unknown reason", () -> reader.read(names.getFirst()));
    }
  }

  @Test
  void lastLinkThatDoesNotPointIntoTheCache() throws Exception {
    names = fixture.append(5, CHAIN);
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      reader.read(names.getLast());
      assertThat(reader.cache().record(names.getLast())).isNotNull();
      int before = reader.cache().size();
      meddler.alter(
          Forgery.proofs(links -> {
            // From what is in the cache straight to the target, which it does not point at.
            Link top = links.getFirst();
            Link target = links.getLast();
            return List.of(Link.known(top.header()), Link.pointedAt(target.header(), 0));
          }));
      assertThatThrownBy(() -> reader.read(names.getFirst()))
          .isInstanceOf(ProofException.class)
          .hasMessageContaining("never verified here")
          .satisfies(
              e -> assertThat(e.getSuppressed()[0]).hasMessageContaining("does not point at"));
      assertThat(reader.cache().record(names.getFirst())).isNull();
      assertThat(reader.cache().size()).isLessThanOrEqualTo(before);
    }
  }

  @Test
  void D21_aMirrorThatHoldsTooMuchCostsSpeedOnly() throws Exception {
    // The server mirrors a cache that the reader does not have: it was told of one at Init.
    names = fixture.append(20, CHAIN);
    meddler.requests(request ->
        request.hasInit() && request.getInit().getCacheEntries() > 0
            ? List.of(
                request.toBuilder()
                    .setInit(
                        request.getInit().toBuilder()
                            .setCachedNames(holdfast.node.Session.concat(names.subList(5, 12))))
                    .build())
            : List.of(request));
    meddler.alter(reply ->
        reply.hasOpened()
            ? reply.toBuilder()
                .setOpened(
                    reply.getOpened().toBuilder().setCached(com.google.protobuf.ByteString.EMPTY))
                .build()
            : reply);
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      for (Hash name : names) {
        assertThat(reader.read(name)).isInstanceOf(ReadResult.Proven.class);
      }
      // Also for leaves, and for many reads under way at once.
      reader.readLeaves(List.of(new ReadResult.LeafName(names.get(7), 0)));
      // The two are in step again: what is cached is not sent any more.
      reader.readAll(names);
      reader.readAll(names);
      long headers = reader.proofHeaders();
      reader.readAll(names);
      assertThat(reader.proofHeaders()).isEqualTo(headers);
    }
  }

  @Test
  void D21_manyReadsUnderWayWhenTheMirrorIsWrong() throws Exception {
    names = fixture.append(50, CHAIN);
    meddler.requests(request ->
        request.hasInit() && request.getInit().getCacheEntries() > 0
            ? List.of(
                request.toBuilder()
                    .setInit(
                        request.getInit().toBuilder()
                            .setCachedNames(holdfast.node.Session.concat(names)))
                    .build())
            : List.of(request));
    meddler.alter(reply ->
        reply.hasOpened()
            ? reply.toBuilder()
                .setOpened(
                    reply.getOpened().toBuilder().setCached(com.google.protobuf.ByteString.EMPTY))
                .build()
            : reply);
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      List<holdfast.client.PendingRead> begun = new ArrayList<>();
      for (Hash name : names) {
        begun.add(reader.beginRead(List.of(name)));
      }
      for (var read : begun) {
        assertThat(read.await().records()).allMatch(r -> r instanceof ReadResult.Proven);
      }
    }
  }

  @Test
  void cacheResetAtAnyMoment() throws Exception {
    names = fixture.append(40, WriterOptions.defaults().withBatchRecords(5));
    Reply reset = Reply.newBuilder().setCacheReset(CacheReset.getDefaultInstance()).build();
    int[] count = new int[1];
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.replies(reply -> count[0]++ % 3 == 1 ? List.of(reset, reply, reset) : List.of(reply));
      for (int round = 0; round < 3; round++) {
        List<holdfast.client.PendingRead> begun = new ArrayList<>();
        for (int at = 0; at < 40; at += 4) {
          begun.add(reader.beginRead(names.subList(at, at + 4)));
        }
        for (var read : begun) {
          assertThat(read.await().records()).allMatch(r -> r instanceof ReadResult.Proven);
        }
      }
    }
  }
}
