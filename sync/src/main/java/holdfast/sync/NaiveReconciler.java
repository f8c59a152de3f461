package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** Both sides send all names. */
final class NaiveReconciler implements Reconciler {
  private static final int PAGE = 1 << 15;
  private final List<Hash> names;
  private final Set<Hash> peers = new HashSet<>();
  private boolean heard;

  NaiveReconciler(boolean initiator, Hash salt, List<Hash> names) {
    this.names = names;
  }

  @Override
  public void begin(Consumer<byte[]> send) {
    int from = 0;
    do {
      int to = Math.min(names.size(), from + PAGE);
      Encoder out = new Encoder();
      out.u8(to == names.size() ? 1 : 0);
      names.subList(from, to).forEach(out::hash);
      send.accept(out.toBytes());
      from = to;
    } while (from < names.size());
  }

  @Override
  public void receive(byte[] message, Consumer<byte[]> send) throws ProofException {
    Decoder in = new Decoder(message, "page of names");
    heard = in.u8() == 1;
    while (in.remaining() > 0) {
      peers.add(in.hash());
    }
  }

  @Override
  public boolean done() {
    return heard;
  }

  @Override
  public List<Hash> lackedByPeer() {
    return names.stream().filter(name -> !peers.contains(name)).toList();
  }
}
