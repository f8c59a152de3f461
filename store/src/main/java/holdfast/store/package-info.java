/**
 * Capsules on disk. RocksDB does the storing and is not seen outside this package.
 *
 * <pre>
 *   column family   key                                   value
 *   default         settings, capsules by name            identity, capsule number ‖ metadata ‖ signature
 *                   damaged records, by arrival           what is wrong (Quarantine)
 *   names           capsule ‖ record name                 arrival number
 *   graph           capsule ‖ table ‖ …                    blocks of 256 records, heads, holes (RecordGraph)
 *   headers         capsule ‖ block of 16 arrivals        headers, small bodies beside them (RecordBlocks)
 *   bodies          capsule ‖ arrival ‖ chunk             larger bodies, by chunk of leaves; Merkle tiles above them
 *   statements      capsule ‖ kind ‖ …                     signatures by arrival, owner's statements by name
 * </pre>
 *
 * <p>The write path, in {@link holdfast.store.Committer}: batches queue up; one thread
 * <em>stages</em> a group of them into one write batch, <em>commits</em> it to the log and the
 * memtables (RECEIVED) and <em>publishes</em> it to readers; a second thread makes the log durable,
 * moves the synced mark, and only then says SYNCED. While one group is being synced the next is
 * being staged.
 *
 * <p>{@link holdfast.store.Scrubber} reads everything again and again, as {@link
 * holdfast.store.Fsck} does at rest; what {@link holdfast.store.RecordCheck} finds damaged stands
 * in the {@link holdfast.store.Quarantine} and is refused until {@link holdfast.store.Repair} has
 * put an intact copy in its place. The table in which the rot lies is found by {@link
 * holdfast.store.DatabaseWatch} and replaced at the next start by {@link
 * holdfast.store.RottenTables}; without that the compaction that meets it would stop all writing.
 *
 * <p>Recovery is RocksDB replaying its log. Because that stops silently at a damaged entry, the
 * sequence number of the last synced write is kept in a file of its own ({@link
 * holdfast.store.SyncedMark}), synced before any receipt: a database that comes back with less has
 * lost something, and says so.
 */
@NullMarked
package holdfast.store;

import org.jspecify.annotations.NullMarked;
