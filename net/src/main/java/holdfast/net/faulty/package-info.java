/**
 * A network that misbehaves on purpose, for tests, for measurements and for a cluster on one
 * machine. No server needs it.
 *
 * <pre>
 *   client ──▶ FaultyProxy ─┬─ TO_TARGET   ── bandwidth ── delay ── stall ──▶ target
 *          ◀──              └─ FROM_TARGET ── stall ── delay ── bandwidth ◀──
 * </pre>
 *
 * <p>A {@link holdfast.net.faulty.FaultyProxy} listens on one port and passes everything on to
 * another. Each direction has its own {@link holdfast.net.faulty.Faults}, which may change while
 * connections are open, and which all connections share as they would share a cable. Bytes are
 * never altered, lost or reordered: TCP does not let applications see that. A stalled direction
 * holds back the ends of connections too, as a cable that was pulled does.
 */
@NullMarked
package holdfast.net.faulty;

import org.jspecify.annotations.NullMarked;
