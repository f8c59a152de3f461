/**
 * The edge: a gateway near the devices. It answers REST and MQTT from a view, and acknowledges
 * nothing that its capsule does not hold.
 *
 * <pre>
 *   REST, MQTT ──► rights ──► flush: one record of many changes ──► capsule (own node) ──► masters
 *                                        │
 *                                        └──► view: what GET, scan and watch answer from
 * </pre>
 *
 * <p>The capsule is the state; the view is derived from it by the same code when the edge runs and
 * when it recovers. The format is docs/edge-format.md, sections 4 and 5.
 */
@NullMarked
package holdfast.edge;

import org.jspecify.annotations.NullMarked;
