package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Merkle;
import holdfast.capsule.RecordHeader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;
import org.rocksdb.WriteBatch;

/**
 * Bodies on disk, so that one leaf is read and proven without touching the others.
 *
 * <p>Leaves are kept in aligned chunks of 2^b, where b follows from the header: as many leaves as
 * make about 64 KiB, at most 64. Above the chunks stand <em>tiles</em> as in tlog-tiles: the hashes
 * of 64 neighbouring nodes on level b, then on level b + 6, and so on, until one tile holds a
 * level. A path costs one chunk and one tile per six levels.
 */
final class Bodies {
  private static final int TILE_LEVELS = 6;
  private static final int TILE_NODES = 1 << TILE_LEVELS;
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int CACHED_TILES = 2048;

  private final Tables tables;
  private final ReadOptions reads;

  /** Levels of recently used chunks and tiles, leaves or lowest level first. */
  private final LinkedHashMap<ByteBuffer, List<Hash[]>> cache =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<ByteBuffer, List<Hash[]>> eldest) {
          return size() > CACHED_TILES;
        }
      };

  Bodies(Tables tables) {
    this(tables, tables.reads);
  }

  Bodies(Tables tables, ReadOptions reads) {
    this.tables = tables;
    this.reads = reads;
  }

  /** log₂ of the leaves in a chunk. */
  static int chunkLevel(RecordHeader header) {
    long leaf = Math.max(1, header.sealedSize() / header.leafCount());
    long fitting = Math.max(1, CHUNK_BYTES / leaf);
    int level = 63 - Long.numberOfLeadingZeros(fitting);
    return Math.min(TILE_LEVELS, level);
  }

  private static int chunks(RecordHeader header) {
    return Merkle.count(header.leafCount(), chunkLevel(header));
  }

  void put(WriteBatch batch, int capsule, long arrival, RecordHeader header, Body body)
      throws RocksDBException {
    int count = chunks(header);
    if (count == 1) {
      batch.put(tables.bodies, Keys.chunk(capsule, arrival, 0), body.unsafeBytes());
      return;
    }
    for (int chunk = 0; chunk < count; chunk++) {
      putChunk(batch, capsule, arrival, header, body, chunk);
    }
    tiles(
        capsule,
        arrival,
        header,
        body,
        (key, nodes) -> {
          batch.put(tables.bodies, key, nodes);
          return true;
        });
  }

  private interface Tiles {
    /** Takes a tile; false ends the walk. */
    boolean tile(byte[] key, byte[] nodes) throws RocksDBException;
  }

  /** Makes the tiles above a body of several chunks; false when they were not wanted to the end. */
  private static boolean tiles(
      int capsule, long arrival, RecordHeader header, Body body, Tiles wanted)
      throws RocksDBException {
    int level = chunkLevel(header);
    List<Hash[]> levels = Merkle.levels(body.leafHashes());
    for (int layer = 0; level + layer * TILE_LEVELS < levels.size() - 1; layer++) {
      Hash[] nodes = levels.get(level + layer * TILE_LEVELS);
      for (int tile = 0; tile * TILE_NODES < nodes.length; tile++) {
        int end = Math.min(nodes.length, (tile + 1) * TILE_NODES);
        ByteBuffer out = ByteBuffer.allocate((end - tile * TILE_NODES) * Hash.SIZE);
        for (int i = tile * TILE_NODES; i < end; i++) {
          out.put(nodes[i].toBytes());
        }
        if (!wanted.tile(Keys.tile(capsule, arrival, layer, tile), out.array())) {
          return false;
        }
      }
    }
    return true;
  }

  /** Whether the stored tiles are those that lead from a body to its root. */
  boolean tilesHold(int capsule, long arrival, RecordHeader header, Body body)
      throws RocksDBException {
    return chunks(header) == 1
        || tiles(
            capsule,
            arrival,
            header,
            body,
            (key, nodes) -> Arrays.equals(nodes, tables.db.get(tables.bodies, reads, key)));
  }

  /** Drops what is remembered of a body that is written again. */
  void forget(int capsule, long arrival) {
    synchronized (cache) {
      cache.keySet().removeIf(key -> key.getInt(0) == capsule && key.getLong(4) == arrival);
    }
  }

  void putChunk(
      WriteBatch batch, int capsule, long arrival, RecordHeader header, Body body, int chunk)
      throws RocksDBException {
    int level = chunkLevel(header);
    int from = chunk << level;
    int to = Math.min(header.leafCount(), from + (1 << level));
    batch.put(tables.bodies, Keys.chunk(capsule, arrival, chunk), body.slice(from, to));
  }

  void delete(WriteBatch batch, int capsule, long arrival) throws RocksDBException {
    batch.deleteRange(
        tables.bodies, Keys.chunk(capsule, arrival, 0), Keys.chunk(capsule, arrival + 1, 0));
  }

  /** The whole body of a record whose body is stored. */
  Body read(int capsule, long arrival, RecordHeader header) {
    int count = chunks(header);
    try {
      if (count == 1) {
        return Body.decode(chunk(capsule, arrival, 0), header.leafCount());
      }
      byte[] all = new byte[(int) header.sealedSize() + 36 * header.leafCount()];
      int size = 0;
      try (Slice end = new Slice(Keys.chunk(capsule, arrival, count));
          ReadOptions options = new ReadOptions(reads).setIterateUpperBound(end);
          RocksIterator chunks = tables.db.newIterator(tables.bodies, options)) {
        for (chunks.seek(Keys.chunk(capsule, arrival, 0)); chunks.isValid(); chunks.next()) {
          byte[] chunk = chunks.value();
          if (size + chunk.length > all.length) {
            all = Arrays.copyOf(all, 2 * all.length + chunk.length);
          }
          System.arraycopy(chunk, 0, all, size, chunk.length);
          size += chunk.length;
        }
        chunks.status();
      }
      return Body.decode(Arrays.copyOf(all, size), header.leafCount());
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the body of record " + header.name().brief(), e);
    } catch (ProofException e) {
      throw damaged(header, e);
    }
  }

  private static HoldfastException damaged(RecordHeader header, ProofException e) {
    return new HoldfastException(
        ErrorCode.DAMAGED,
        "the stored body of record " + header.name().brief() + " is damaged: " + e.getMessage(),
        e);
  }

  private byte[] chunk(int capsule, long arrival, int chunk) throws RocksDBException {
    byte[] stored = tables.db.get(tables.bodies, reads, Keys.chunk(capsule, arrival, chunk));
    if (stored == null) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "chunk " + chunk + " of the body of record number " + arrival + " is not there");
    }
    return stored;
  }

  /** The number of the chunk in which a leaf lies. */
  static int chunkOf(RecordHeader header, int leaf) {
    return leaf >>> chunkLevel(header);
  }

  /** A leaf's index within its chunk. */
  static int withinChunk(RecordHeader header, int leaf) {
    return leaf & ((1 << chunkLevel(header)) - 1);
  }

  /** A chunk of leaves, as a body of its own. */
  Body chunk(int capsule, long arrival, RecordHeader header, int number) {
    int level = chunkLevel(header);
    int leaves = Math.min(header.leafCount() - (number << level), 1 << level);
    try {
      return Body.decode(chunk(capsule, arrival, number), leaves);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read a leaf of record " + header.name().brief(), e);
    } catch (ProofException e) {
      throw damaged(header, e);
    }
  }

  /** The nodes of a record's Merkle tree, read in chunks and tiles as they are asked for. */
  LeafProof.Nodes nodes(int capsule, long arrival, RecordHeader header, @Nullable Body known) {
    int chunkLevel = chunkLevel(header);
    return (level, index) -> {
      if (level < chunkLevel || chunks(header) == 1) {
        int chunk = index >>> (chunkLevel - level);
        return pick(
            chunkTile(capsule, arrival, header, chunk, known),
            level,
            index - (chunk << (chunkLevel - level)));
      }
      int layer = (level - chunkLevel) / TILE_LEVELS;
      int within = (level - chunkLevel) % TILE_LEVELS;
      int tile = index >>> (TILE_LEVELS - within);
      return pick(
          tile(capsule, arrival, header, layer, tile),
          within,
          index - (tile << (TILE_LEVELS - within)));
    };
  }

  private static Hash pick(List<Hash[]> levels, int level, int index) {
    return levels.get(Math.min(level, levels.size() - 1))[index];
  }

  private List<Hash[]> chunkTile(
      int capsule, long arrival, RecordHeader header, int chunk, @Nullable Body known) {
    ByteBuffer key = ByteBuffer.wrap(Keys.chunk(capsule, arrival, chunk));
    List<Hash[]> levels = cached(key);
    if (levels == null) {
      Body body;
      if (known != null && chunks(header) == 1) {
        body = known;
      } else {
        body = chunk(capsule, arrival, header, chunk);
      }
      levels = Merkle.levels(body.leafHashes());
      cache(key, levels);
    }
    return levels;
  }

  private List<Hash[]> tile(int capsule, long arrival, RecordHeader header, int layer, int tile) {
    byte[] keyBytes = Keys.tile(capsule, arrival, layer, tile);
    ByteBuffer key = ByteBuffer.wrap(keyBytes);
    List<Hash[]> levels = cached(key);
    if (levels == null) {
      byte[] stored;
      try {
        stored = tables.db.get(tables.bodies, reads, keyBytes);
      } catch (RocksDBException e) {
        throw Tables.failure("cannot read the tree of record " + header.name().brief(), e);
      }
      if (stored == null) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "a tile of the tree of record " + header.name().brief() + " is not there");
      }
      List<Hash> nodes = new ArrayList<>();
      for (int at = 0; at < stored.length; at += Hash.SIZE) {
        nodes.add(Hash.read(stored, at));
      }
      levels = Merkle.levels(nodes.toArray(new Hash[0]));
      cache(key, levels);
    }
    return levels;
  }

  private @Nullable List<Hash[]> cached(ByteBuffer key) {
    synchronized (cache) {
      return cache.get(key);
    }
  }

  private void cache(ByteBuffer key, List<Hash[]> levels) {
    synchronized (cache) {
      cache.put(key, levels);
    }
  }
}
