package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * By Merkle tree, as in Dynamo (DeCandia et al., SOSP 2007, section 4.7): digests are compared from
 * the root down, and only below differing ones is more told.
 *
 * <p>The tree is 16-ary, over the prefixes of the ids of {@link SaltedNames}; a node's digest is
 * the sum modulo 2<sup>64</sup> of a second hash of its names. Under a fresh salt nothing of a tree
 * could be kept from one round to the next, so none is built: a node is a range of the sorted ids,
 * and its digest a difference of two running sums.
 *
 * <p>The sides speak in turns, a message each; whoever is told a node answers, for each child that
 * differs, with that child's children if it has many names there, else with the ids of them all. So
 * there are about as many messages as the tree has levels, if each takes one message.
 *
 * <pre>
 *   message: u8 1 if this is all the side has to say so far
 *            answers to the ids of the message before: for each, one bit per id, set if lacked
 *            u32 n ‖ n entries, in ascending order of (level, prefix) over the whole round
 *   node:    u8 level ‖ 8-byte prefix ‖ u16 children there are (bit c: child c)
 *            ‖ 8-byte digest of each that there is
 *   ids:     u8 128 + level ‖ 8-byte prefix ‖ u8 n ‖ n ids of 8 bytes, ascending
 * </pre>
 *
 * The initiator tells nodes of even levels, the other side those of odd ones; a prefix is the least
 * id below it. Nodes and ids whose parent has few names here were not asked for and are refused, so
 * a round is no longer than the own set allows.
 */
final class TreeReconciler implements Reconciler {
  /** Names of a node that are told by ids rather than by digests of its children. */
  private static final int FEW = 32;

  private static final int WIDTH = 16;
  private static final int LEVELS = 16;
  private static final int IDS = 0x80;
  private static final int ENTRY_BYTES = 10 + 8 * FEW;
  private static final String WHAT = "message of a reconciliation by tree";

  /** A node: the ids that share the first {@code 4·level} bits of {@code prefix}. */
  private record Node(int level, long prefix, int from, int to) {
    int size() {
      return to - from;
    }

    boolean precedes(int otherLevel, long otherPrefix) {
      return level < otherLevel
          || (level == otherLevel && Long.compareUnsigned(prefix, otherPrefix) < 0);
    }
  }

  private final boolean initiator;
  private final SaltedNames names;
  private final long[] sums;
  private final BitSet lacked = new BitSet();
  private final ArrayDeque<Node> toTell = new ArrayDeque<>();
  private List<Node> told = List.of();
  private Node last = new Node(-1, 0, 0, 0);
  private boolean begun;
  private boolean idle;
  private boolean done;

  /**
   * @throws IllegalArgumentException if a name is given twice, or there are too many
   */
  TreeReconciler(boolean initiator, Hash salt, Collection<Hash> names) {
    this.initiator = initiator;
    this.names = new SaltedNames(salt, names);
    sums = new long[names.size() + 1];
    for (int i = 0; i < names.size(); i++) {
      sums[i + 1] = sums[i] + this.names.second(i);
    }
  }

  @Override
  public void begin(Consumer<byte[]> send) {
    begun = true;
    if (initiator) {
      toTell.add(new Node(0, 0, 0, names.size()));
      tell(new Encoder(), send);
    }
  }

  private Node child(Node node, int child) {
    int shift = 60 - 4 * node.level;
    long prefix = node.prefix | (long) child << shift;
    int from = names.indexOf(prefix, node.from, node.to);
    long after = prefix + (1L << shift);
    // The last child ends where its parent does; beyond the last of all, numbers wrap around.
    int to = child == WIDTH - 1 ? node.to : names.indexOf(after, from, node.to);
    return new Node(node.level + 1, prefix, from, to);
  }

  private long digest(Node node) {
    return sums[node.to] - sums[node.from];
  }

  // ---- Telling ---------------------------------------------------------------------------------

  /** Sends a message, and returns the number of its entries. */
  private int tell(Encoder answers, Consumer<byte[]> send) {
    Encoder entries = new Encoder(1024);
    int count = 0;
    told = new ArrayList<>();
    while (!toTell.isEmpty() && entries.size() <= SetLimits.MESSAGE_BYTES - ENTRY_BYTES) {
      Node node = toTell.remove();
      if (byIds(node)) {
        tellIds(node, entries);
        told.add(node);
      } else {
        tellChildren(node, entries);
      }
      count++;
    }
    idle = toTell.isEmpty();
    Encoder out = new Encoder(16 + answers.size() + entries.size());
    out.u8(idle ? 1 : 0).raw(answers.toBytes()).u32(count).raw(entries.toBytes());
    send.accept(out.toBytes());
    return count;
  }

  private static boolean byIds(Node node) {
    return node.size() <= FEW || node.level == LEVELS;
  }

  private void tellIds(Node node, Encoder out) {
    long[] ids = idsOf(node);
    ByteBuffer bytes = ByteBuffer.allocate(8 + 1 + 8 * ids.length);
    bytes.putLong(node.prefix).put((byte) ids.length);
    for (long id : ids) {
      bytes.putLong(id);
    }
    out.u8(IDS + node.level).raw(bytes.array());
  }

  /** The distinct ids below a node: two names may have one id. */
  private long[] idsOf(Node node) {
    long[] ids = new long[Math.min(FEW, node.size())];
    int count = 0;
    for (int i = node.from; i < node.to && count < ids.length; i++) {
      if (count == 0 || ids[count - 1] != names.id(i)) {
        ids[count++] = names.id(i);
      }
    }
    return Arrays.copyOf(ids, count);
  }

  private void tellChildren(Node node, Encoder out) {
    ByteBuffer digests = ByteBuffer.allocate(8 * WIDTH);
    int there = 0;
    for (int c = 0; c < WIDTH; c++) {
      Node child = child(node, c);
      if (child.size() > 0) {
        there |= 1 << c;
        digests.putLong(digest(child));
      }
    }
    out.u8(node.level);
    out.raw(ByteBuffer.allocate(8).putLong(node.prefix).array());
    out.u16(there).raw(digests.array(), 0, digests.position());
  }

  // ---- Being told ------------------------------------------------------------------------------

  @Override
  public void receive(byte[] message, Consumer<byte[]> send) throws ProofException {
    Decoder in = new Decoder(message, WHAT);
    if (!begun || done) {
      throw in.malformed("comes out of turn");
    }
    boolean peerIdle = Bits.flag(in);
    for (Node node : told) {
      readAnswer(node, in);
    }
    Encoder answers = new Encoder();
    int entries = in.u32(in.remaining());
    for (int i = 0; i < entries; i++) {
      readEntry(in, answers);
    }
    in.end();
    if (!initiator && last.level < 0) {
      throw in.malformed("does not begin with the root");
    }
    if (entries == 0 && !peerIdle) {
      throw in.malformed("has nothing to say and says that there is more");
    }
    // A message without entries needs no answer, unless there is more to say.
    boolean quiet = (entries == 0 && idle) || tell(answers, send) == 0;
    done = quiet && peerIdle;
  }

  private void readAnswer(Node node, Decoder in) throws ProofException {
    long[] ids = idsOf(node);
    BitSet bits = Bits.read(in, ids.length);
    for (int i = bits.nextSetBit(0); i >= 0; i = bits.nextSetBit(i + 1)) {
      names.mark(ids[i], lacked);
    }
  }

  private void readEntry(Decoder in, Encoder answers) throws ProofException {
    int kind = in.u8();
    int level = kind & ~IDS;
    long prefix = id(in);
    if (level > LEVELS || !last.precedes(level, prefix)) {
      throw in.malformed("has entries that do not ascend");
    }
    Node node = find(level, prefix);
    if (node == null) {
      throw in.malformed("has an entry of level " + level + " that was not asked for");
    }
    last = node;
    if ((kind & IDS) != 0) {
      readIds(node, in, answers);
    } else if (level == LEVELS) {
      throw in.malformed("has children of a single id");
    } else {
      readChildren(node, in);
    }
  }

  private static long id(Decoder in) throws ProofException {
    return ByteBuffer.wrap(in.raw(8)).getLong();
  }

  /** The node, if it is the root or was asked for: then its parent has been told. */
  private @Nullable Node find(int level, long prefix) {
    if ((level & 1) == (initiator ? 0 : 1)) {
      return null;
    }
    Node node = new Node(0, 0, 0, names.size());
    for (int above = 0; above < level; above++) {
      if (byIds(node)) {
        return null;
      }
      node = child(node, (int) (prefix >>> (60 - 4 * above)) & (WIDTH - 1));
    }
    return node.prefix == prefix ? node : null;
  }

  private void readChildren(Node node, Decoder in) throws ProofException {
    int there = in.u16();
    for (int c = 0; c < WIDTH; c++) {
      Node child = child(node, c);
      if ((there >>> c & 1) == 0) {
        lacked.set(child.from, child.to);
      } else if (id(in) != digest(child) || child.size() == 0) {
        toTell.add(child);
      }
    }
  }

  private void readIds(Node node, Decoder in, Encoder answers) throws ProofException {
    int count = in.u8();
    if (count > FEW) {
      throw in.malformed("has " + count + " ids in one place, at most " + FEW + " expected");
    }
    BitSet answer = new BitSet(count);
    int at = node.from;
    long before = 0;
    for (int i = 0; i < count; i++) {
      long id = id(in);
      boolean below = node.level == 0 || (id ^ node.prefix) >>> (64 - 4 * node.level) == 0;
      if (!below || (i > 0 && Long.compareUnsigned(id, before) <= 0)) {
        throw in.malformed("has ids that are out of place");
      }
      before = id;
      int next = names.indexOf(id, at, node.to);
      lacked.set(at, next);
      at = next;
      while (at < node.to && names.id(at) == id) {
        at++;
      }
      answer.set(i, at == next);
    }
    lacked.set(at, node.to);
    Bits.write(answer, count, answers);
  }

  @Override
  public boolean done() {
    return done;
  }

  @Override
  public List<Hash> lackedByPeer() {
    return names.at(lacked);
  }
}
