package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;

/**
 * Each side tells a Bloom filter of its names, and tests its own names with the peer's. About one
 * name in a hundred that the peer lacks is not found; under the next round's salt it will be.
 *
 * <p>The ids are divided into equal parts, a filter for each, so that no large filter is ever held:
 * part p of P begins at the id p·⌊(2<sup>64</sup> - 1)/P⌋. The sides speak in turns, one message
 * each.
 *
 * <pre>
 *   message: u16 parts P ‖ u16 part p ‖ filter of part p     parts in order, from 0
 *            u16 0                                           all parts have been told
 * </pre>
 */
final class BloomReconciler implements Reconciler {
  /** Names of one part, so that its filter has 5/8 MiB. */
  private static final int PART = 1 << 19;

  private static final int PARTS = SetLimits.NAMES / PART;
  private static final String WHAT = "message of a reconciliation by Bloom filter";

  private final boolean initiator;
  private final Hash salt;
  private final SaltedNames names;
  private final BitSet lacked = new BitSet();
  private final int parts;
  private int partsSent;
  private int peersParts;
  private int partsReceived;
  private boolean begun;

  /**
   * @throws IllegalArgumentException if a name is given twice, or there are too many
   */
  BloomReconciler(boolean initiator, Hash salt, Collection<Hash> names) {
    this.initiator = initiator;
    this.salt = salt;
    this.names = new SaltedNames(salt, names);
    parts = Math.max(1, (names.size() + PART - 1) / PART);
  }

  @Override
  public void begin(Consumer<byte[]> send) {
    begun = true;
    if (initiator) {
      sendPart(send);
    }
  }

  private int start(int part, int of) {
    if (part == of) {
      return names.size();
    }
    return part == 0 ? 0 : names.indexOf(Long.divideUnsigned(-1L, of) * part);
  }

  private void sendPart(Consumer<byte[]> send) {
    int from = start(partsSent, parts);
    int to = start(partsSent + 1, parts);
    BloomFilter filter = new BloomFilter(salt, to - from, BloomFilter.BITS_PER_NAME);
    for (int i = from; i < to; i++) {
      filter.add(names.name(i));
    }
    Encoder out = new Encoder(4 + filter.encodedSize());
    out.u16(parts).u16(partsSent++);
    filter.encode(out);
    send.accept(out.toBytes());
  }

  private boolean allSent() {
    return partsSent == parts;
  }

  private boolean allReceived() {
    return partsReceived > 0 && partsReceived == peersParts;
  }

  @Override
  public void receive(byte[] message, Consumer<byte[]> send) throws ProofException {
    Decoder in = new Decoder(message, WHAT);
    if (!begun || done()) {
      throw in.malformed("comes out of turn");
    }
    int of = in.u16();
    if (of == 0) {
      if (!allReceived()) {
        throw in.malformed("ends early: parts are missing");
      }
    } else {
      readPart(in, of);
    }
    in.end();
    if (!allSent()) {
      sendPart(send);
    } else if (!allReceived()) {
      send.accept(new Encoder().u16(0).toBytes());
    }
  }

  private void readPart(Decoder in, int of) throws ProofException {
    if (of > PARTS || (partsReceived > 0 && of != peersParts)) {
      throw in.malformed("has " + of + " parts");
    }
    int part = in.u16();
    if (part != partsReceived || part == of) {
      throw in.malformed("has part " + part + " of " + of + ", expected " + partsReceived);
    }
    BloomFilter filter = BloomFilter.decode(in, salt);
    peersParts = of;
    partsReceived++;
    int to = start(part + 1, of);
    for (int i = start(part, of); i < to; i++) {
      if (!filter.mayContain(names.name(i))) {
        lacked.set(i);
      }
    }
  }

  @Override
  public boolean done() {
    return allSent() && allReceived();
  }

  @Override
  public List<Hash> lackedByPeer() {
    return names.at(lacked);
  }
}
