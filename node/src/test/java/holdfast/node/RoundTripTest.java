package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written comes back, proven, also after a restart. */
class RoundTripTest {
  private static final SecureRandom RANDOM = new SecureRandom();

  @TempDir Path folder;
  private final SigningKey owner = SigningKey.generate(RANDOM);
  private final ContentKey contentKey = new ContentKey(0, Secret.copyOf(new byte[32]));
  private Node node;
  private Server server;
  private Metadata metadata;

  @BeforeEach
  void start() throws Exception {
    node =
        Node.start(
            NodeOptions.of(
                folder, new Endpoint("127.0.0.1", 0), new Endpoint("127.0.0.1", 0), Set.of()));
    server = Server.at(node.endpoint(), node.identity());
    byte[] nonce = new byte[16];
    RANDOM.nextBytes(nonce);
    metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "owner")),
            "test",
            1,
            "",
            Bytes.wrap(nonce),
            new TreeMap<>());
    server.create(metadata, owner);
  }

  @AfterEach
  void stop() {
    server.close();
    node.close();
  }

  private void restart() {
    server.close();
    node.close();
    node =
        Node.start(
            NodeOptions.of(
                folder, new Endpoint("127.0.0.1", 0), new Endpoint("127.0.0.1", 0), Set.of()));
    server = Server.at(node.endpoint(), node.identity());
  }

  @Test
  void D5_D12_D13_whatIsWrittenIsReadBackProven() throws Exception {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer =
        server.openWriter(
            metadata.name(), owner, contentKey, WriterOptions.defaults().withBatchRecords(100))) {
      for (int i = 0; i < 1050; i++) {
        names.add(writer.append(("record " + i).getBytes(UTF_8)));
      }
      writer.commitOrThrow();
    }
    expectAll(names);
    restart();
    expectAll(names);
  }

  private void expectAll(List<Hash> names) throws Exception {
    try (CapsuleReader reader =
        server.openReader(metadata.name(), List.of(contentKey), ReaderOptions.defaults())) {
      List<ReadResult> results = reader.readAll(names);
      for (int i = 0; i < names.size(); i++) {
        assertThat(results.get(i)).isInstanceOf(ReadResult.Proven.class);
        ReadResult.Proven proven = (ReadResult.Proven) results.get(i);
        assertThat(proven.voucher().authored()).isTrue();
        byte[][] leaves = reader.opener().openAll(proven.record().header(), proven.record().body());
        assertThat(new String(leaves[0], UTF_8)).isEqualTo("record " + i);
      }
      Freshness fresh = reader.heads();
      assertThat(fresh.heads()).containsExactly(names.getLast());
      assertThat(fresh.tips()).isEmpty();
    }
  }

  @Test
  void D33_D34_subrecordsAreReadAndProvenOneByOne() throws Exception {
    List<byte[]> leaves = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      leaves.add(("leaf " + i).getBytes(UTF_8));
    }
    Hash name;
    try (CapsuleWriter writer =
        server.openWriter(metadata.name(), owner, contentKey, WriterOptions.defaults())) {
      name = writer.append(leaves);
      writer.commitOrThrow();
    }
    restart();
    try (CapsuleReader reader =
        server.openReader(metadata.name(), List.of(contentKey), ReaderOptions.defaults())) {
      for (int from = 0; from < 1000; from += 50) {
        List<ReadResult.LeafName> wanted = new ArrayList<>();
        for (int i = from; i < from + 50; i++) {
          wanted.add(new ReadResult.LeafName(name, (i * 7) % 1000));
        }
        for (ReadResult.LeafResult result : reader.readLeaves(wanted)) {
          assertThat(result).isInstanceOf(ReadResult.LeafResult.Proven.class);
          var proven = (ReadResult.LeafResult.Proven) result;
          byte[] text =
              reader
                  .opener()
                  .open(proven.header(), proven.name().leaf(), proven.sealed().toArray());
          assertThat(new String(text, UTF_8)).isEqualTo("leaf " + proven.name().leaf());
        }
      }
    }
  }

  @Test
  void D45_recordsAreProvenOnceSignedOnDemand() throws Exception {
    try (CapsuleWriter writer =
            server.openWriter(
                metadata.name(),
                owner,
                contentKey,
                WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand()));
        CapsuleReader reader =
            server.openReader(metadata.name(), List.of(contentKey), ReaderOptions.defaults())) {
      Hash first = writer.append("a".getBytes(UTF_8));
      Hash second = writer.append("b".getBytes(UTF_8));
      writer.commitOrThrow();
      assertThat(reader.read(first)).isInstanceOf(ReadResult.Unproven.class);
      assertThat(reader.heads().tips()).containsExactly(second);
      writer.sign();
      writer.commitOrThrow();
      assertThat(reader.read(first)).isInstanceOf(ReadResult.Proven.class);
      assertThat(reader.heads().heads()).containsExactly(second);
    }
  }
}
