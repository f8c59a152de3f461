/**
 * Measurements of the whole system, over TLS on loopback, against a peer in the same run.
 *
 * <p>The methods are those of the DCS paper, section 6: sequential records and proofs, YCSB with
 * signing on demand, many clients, and in addition a long ingest. The peer is RocksDB, embedded, on
 * the same trace. Results and conditions stand in docs/performance.md.
 */
@NullMarked
package holdfast.bench;

import org.jspecify.annotations.NullMarked;
