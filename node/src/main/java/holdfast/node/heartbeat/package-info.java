/**
 * Servers that keep the same capsules tell each other that they are there, and notice when one of
 * them is not.
 *
 * <pre>
 *   edge ── Heartbeat: records, backlog, oldest ──►  master
 *        ◄── answer: records held, writable ───────
 *   silent for 2.5 of the intervals it promised  ──►  lost: log, metric, status
 *   heard of again                               ──►  back: the same
 * </pre>
 *
 * <p>Heartbeats run over the connections that rounds of anti-entropy use: both sides have shown
 * their identities in the handshake, and what is said counts for the identity that said it and for
 * no other. Only servers that a placement names together listen to each other. What lies between
 * two heartbeats is measured by the clock of the one who waits, so that it does not matter what
 * time the other believes it is.
 *
 * <p>{@link holdfast.node.heartbeat.Vigil} decides who is lost; it is a machine without a clock.
 * {@link holdfast.node.heartbeat.Heartbeats} sends and hears.
 */
@NullMarked
package holdfast.node.heartbeat;

import org.jspecify.annotations.NullMarked;
