/**
 * Replication between servers: who keeps a capsule with this server, and when it meets them.
 *
 * <pre>
 *   Replication ── when and with whom ──▶ Meeting ── drives ──▶ sync.Round
 *        ▲                                   │  frames            │ reads
 *   CapsuleStore.onChange                    ▼                    ▼
 *                                       net, one stream      StoredReplica ──▶ store
 * </pre>
 *
 * <p>The protocol itself is the pure machine in {@code holdfast.sync}; here are its surroundings. A
 * meeting is one stream between two servers that have shown each other their identities. Whatever a
 * peer sends was verified by the machine before it comes to the store.
 */
@NullMarked
package holdfast.node.replication;

import org.jspecify.annotations.NullMarked;
