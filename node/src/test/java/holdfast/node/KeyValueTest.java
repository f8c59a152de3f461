package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.client.KeyValueCapsule;
import holdfast.client.Server;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** D53: a key-value store over one capsule. */
class KeyValueTest {
  private static final SecureRandom RANDOM = new SecureRandom();

  @TempDir Path folder;
  private final SigningKey first = SigningKey.generate(RANDOM);
  private final SigningKey second = SigningKey.generate(RANDOM);
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
    metadata =
        new Metadata(
            first.verifyKey(),
            List.of(
                new Metadata.Writer(first.verifyKey(), "first"),
                new Metadata.Writer(second.verifyKey(), "second")),
            "keys and values",
            1,
            "",
            Bytes.wrap(new byte[16]),
            new TreeMap<>());
    server.create(metadata, first);
  }

  @AfterEach
  void stop() {
    server.close();
    node.close();
  }

  private KeyValueCapsule open(SigningKey key) throws Exception {
    return KeyValueCapsule.open(server, metadata.name(), key, contentKey);
  }

  @Test
  void D53_putGetDeleteScanAgreeWithAMapAndSurviveReopening() throws Exception {
    Random random = new Random(11);
    Map<Bytes, Bytes> model = new HashMap<>();
    try (KeyValueCapsule store = open(first)) {
      for (int i = 0; i < 3000; i++) {
        Bytes key = Bytes.utf8("key" + random.nextInt(200));
        switch (random.nextInt(10)) {
          case 0 -> {
            store.delete(key);
            model.remove(key);
          }
          case 1 -> assertThat(store.get(key)).isEqualTo(Optional.ofNullable(model.get(key)));
          case 2 -> store.flush();
          default -> {
            Bytes value = Bytes.utf8("value" + i);
            store.put(key, value);
            model.put(key, value);
          }
        }
      }
      expect(store, model);
    }
    try (KeyValueCapsule store = open(first)) {
      expect(store, model);
    }
  }

  private static void expect(KeyValueCapsule store, Map<Bytes, Bytes> model) throws Exception {
    assertThat(store.scan(Bytes.utf8("key"), Integer.MAX_VALUE))
        .containsExactlyInAnyOrderEntriesOf(model);
    assertThat(store.size()).isEqualTo(model.size());
    List<Bytes> expected = new ArrayList<>();
    model.keySet().stream().filter(k -> k.toUtf8().startsWith("key1")).forEach(expected::add);
    assertThat(store.scan(Bytes.utf8("key1"), Integer.MAX_VALUE).sequencedKeySet())
        .containsExactlyInAnyOrderElementsOf(expected);
  }

  @Test
  void D53_branchesOfTwoWritersMergeToTheSameStateWhereverTheyAreRead() throws Exception {
    Bytes shared = Bytes.utf8("shared");
    try (KeyValueCapsule one = open(first);
        KeyValueCapsule two = open(second)) {
      // Neither has seen the other: two branches.
      one.put(shared, Bytes.utf8("from one"));
      one.put(Bytes.utf8("a"), Bytes.utf8("1"));
      two.put(shared, Bytes.utf8("from two"));
      two.put(Bytes.utf8("b"), Bytes.utf8("2"));
      one.sign();
      two.sign();
      one.refresh();
      two.refresh();
      assertThat(one.get(shared)).isEqualTo(two.get(shared)).isPresent();
      assertThat(one.get(Bytes.utf8("b"))).contains(Bytes.utf8("2"));
      assertThat(two.get(Bytes.utf8("a"))).contains(Bytes.utf8("1"));
      // A change made in knowledge of another always beats it, whatever the clock says.
      one.put(shared, Bytes.utf8("later"));
      one.sign();
      two.refresh();
      assertThat(two.get(shared)).contains(Bytes.utf8("later"));
      assertThat(two.history(shared))
          .hasSize(3)
          .last()
          .satisfies(last -> assertThat(last.value()).contains(Bytes.utf8("later")));
    }
  }

  @Test
  void D45_readingSomethingUnsignedSignsIt() throws Exception {
    try (KeyValueCapsule store = open(first);
        KeyValueCapsule other = open(second)) {
      store.put(Bytes.utf8("k"), Bytes.utf8("v"));
      store.flush();
      other.refresh();
      assertThat(other.get(Bytes.utf8("k"))).as("not proven to others yet").isEmpty();
      assertThat(store.get(Bytes.utf8("k"))).contains(Bytes.utf8("v"));
      other.refresh();
      assertThat(other.get(Bytes.utf8("k"))).contains(Bytes.utf8("v"));
    }
  }
}
