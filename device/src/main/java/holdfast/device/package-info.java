/**
 * What a device uses: a durable, ordered queue of changes, and the thread that brings them to an
 * edge. It needs nothing but the JDK, so that it can be used alone.
 *
 * <pre>
 *   put, delete ──► queue on disk ──► batch: claim, signature ──► HTTPS ──► edge
 *   get ◄── own queue, else the edge, else what is remembered
 * </pre>
 *
 * <p>Every operation has a sequence number before anything collapses, and every batch is signed
 * over its range and over what became of the numbers that are not in it. So an edge can drop, but
 * not hide that it dropped. The format is docs/edge-format.md, sections 1 to 3.
 */
@NullMarked
package holdfast.device;

import org.jspecify.annotations.NullMarked;
