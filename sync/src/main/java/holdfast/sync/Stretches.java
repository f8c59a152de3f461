package holdfast.sync;

import java.util.BitSet;

/**
 * The order in which a known difference is sent: stretch by stretch, oldest first. A stretch ends
 * with a record that is signed, which proves what lies below it.
 *
 * <p>Within a short stretch records ascend too: they wait in the peer's staging area until the
 * signature comes, and no record arrives before what it points at, so that the peer's graph never
 * has to note a hole and to fill it again. What a stretch has beyond the room for that is sent
 * newest first from its signature down, and so is what no signature in the difference reaches: the
 * peer can prove each batch as soon as it comes, because what came before points at it.
 */
final class Stretches implements Pusher.Source {
  private final BitSet records;
  private final BitSet signed;
  private final long room;
  private int begin;
  private int end = -1;
  private int cursor;
  private boolean descends;
  private long waiting;

  /**
   * @param lacked what the peer lacks, by arrival numbers
   * @param room bytes that may wait for their signature at the peer
   */
  Stretches(RoundSet.Bits lacked, long room) {
    this.records = lacked.records;
    this.signed = new BitSet();
    lacked.signatures.values().forEach(signed::or);
    this.room = room;
    this.cursor = -1;
  }

  @Override
  public long next() {
    if (cursor < 0) {
      begin = records.nextSetBit(end + 1);
      if (begin < 0) {
        return -1;
      }
      end = endOf(begin);
      descends = !signed.get(end);
      waiting = 0;
      cursor = descends ? end : begin;
    }
    int at = cursor;
    cursor = descends ? records.previousSetBit(at - 1) : records.nextSetBit(at + 1);
    if (descends ? cursor < begin : cursor > end) {
      cursor = -1;
    }
    return at;
  }

  /** The next signed record, or the last of all where none is. */
  private int endOf(int from) {
    int at = signed.nextSetBit(from);
    while (at >= 0 && !records.get(at)) {
      at = signed.nextSetBit(at + 1);
    }
    return at >= 0 ? at : records.length() - 1;
  }

  @Override
  public void sent(long arrival, int bytes) {
    waiting += bytes;
    if (!descends && cursor >= 0 && waiting > room) {
      // From the signature down to what waits there already.
      descends = true;
      begin = (int) arrival + 1;
      cursor = end;
    }
  }

  @Override
  public boolean signs(long arrival) {
    return signed.get((int) arrival);
  }

  @Override
  public void have(long arrival) {}
}
