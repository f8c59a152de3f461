/**
 * The server process: one store, one data port, one HTTP port, and the sessions between them.
 *
 * <p>A {@link holdfast.node.Session} is one stream of one client. Its requests are handled one
 * after the other on a pool of worker threads: decoding, hashing and signature checks happen there,
 * in parallel over sessions, before anything reaches the store. The store's answers come back on
 * its own threads; receipts for everything that became durable together are signed as one.
 *
 * <p>Whatever a client sends is limited before it is allocated, and a session takes in no more
 * while its client does not read the replies or its earlier batches are still being written.
 */
@NullMarked
package holdfast.node;

import org.jspecify.annotations.NullMarked;
