/**
 * What applications use. Everything it returns has been verified: hash, body, chain, signature,
 * receipt; a server can withhold and delay, nothing else.
 *
 * <pre>
 *   Server ─┬─ openWriter ─▶ CapsuleWriter   append … commit, receipts, retries
 *           └─ openReader ─▶ CapsuleReader   read, prove, heads, watch, with a verification cache
 *   Replicas ─┬─ openWriter ─▶ CapsuleWriter   the same to all servers of a placement
 *             └─ openReader ─▶ ReplicatedReader  asks one, goes on with the next; watch
 *   Declaration                              what an owner states, told to all servers
 *   KeyValueCapsule                          put, get, delete, scan over one capsule
 *   Home                                     keys, content keys and pins in a folder
 * </pre>
 *
 * <p>Calls block. A {@link holdfast.client.ServerSession} pairs requests with replies; several may
 * be under way. A write whose fate is not known is a {@link holdfast.client.WriteResult.Unknown},
 * never a failure; sending it again is safe, because it is the same bytes.
 */
@NullMarked
package holdfast.client;

import org.jspecify.annotations.NullMarked;
