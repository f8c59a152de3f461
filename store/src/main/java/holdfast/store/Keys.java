package holdfast.store;

import holdfast.base.Hash;
import java.nio.ByteBuffer;

/**
 * Keys of the column families. A capsule is a 4-byte number here, big-endian, so its keys adjoin.
 */
final class Keys {
  /** Chunk numbers from here on are Merkle tiles. */
  private static final int TILES = 1 << 31;

  private Keys() {}

  static byte[] setting(String name) {
    return ("setting/" + name).getBytes(java.nio.charset.StandardCharsets.US_ASCII);
  }

  static byte[] peer(int capsule, byte[] peer) {
    return ByteBuffer.allocate(5 + peer.length).put((byte) 'p').putInt(capsule).put(peer).array();
  }

  /** Where the bytes of a capsule's records are counted. */
  static byte[] usage(int capsule) {
    return ByteBuffer.allocate(5).put((byte) 'u').putInt(capsule).array();
  }

  static byte[] capsule(Hash name) {
    return ByteBuffer.allocate(33).put((byte) 'c').put(name.toBytes()).array();
  }

  /** Where the number of a capsule stands whose entry is lost. */
  static byte[] lost(Hash name) {
    return ByteBuffer.allocate(33).put((byte) 'l').put(name.toBytes()).array();
  }

  static byte[] within(int capsule, byte[] key, int from) {
    byte[] whole = new byte[4 + key.length - from];
    putInt(whole, 0, capsule);
    System.arraycopy(key, from, whole, 4, key.length - from);
    return whole;
  }

  static byte[] record(int capsule, long arrival) {
    byte[] key = new byte[12];
    putInt(key, 0, capsule);
    putLong(key, 4, arrival);
    return key;
  }

  static byte[] chunk(int capsule, long arrival, int chunk) {
    byte[] key = new byte[16];
    putInt(key, 0, capsule);
    putLong(key, 4, arrival);
    putInt(key, 12, chunk);
    return key;
  }

  static byte[] tile(int capsule, long arrival, int layer, int tile) {
    return chunk(capsule, arrival, TILES | layer << 24 | tile);
  }

  static byte[] signature(int capsule, long arrival, int signer) {
    return ByteBuffer.allocate(15)
        .putInt(capsule)
        .put((byte) 1)
        .putLong(arrival)
        .putShort((short) signer)
        .array();
  }

  static byte[] statement(int capsule, int kind, Hash name) {
    return ByteBuffer.allocate(37).putInt(capsule).put((byte) kind).put(name.toBytes()).array();
  }

  private static void putInt(byte[] to, int at, int value) {
    to[at] = (byte) (value >>> 24);
    to[at + 1] = (byte) (value >>> 16);
    to[at + 2] = (byte) (value >>> 8);
    to[at + 3] = (byte) value;
  }

  private static void putLong(byte[] to, int at, long value) {
    putInt(to, at, (int) (value >>> 32));
    putInt(to, at + 4, (int) value);
  }
}
