/**
 * Anti-entropy: bringing two replicas of a capsule to the same proven set. Pure.
 *
 * <pre>
 *   Round (one per side and pairing)
 *     statements ─▶ quick check ─▶ difference (Bloom filter, or another strategy) ─▶ Lu ─▶ confirm
 * </pre>
 *
 * <p>{@link holdfast.sync.Round} tells which stage follows which, and has a class for what is said
 * in each. What a round asks for and is told are {@link holdfast.sync.Effect} and {@link
 * holdfast.sync.Input}; what goes to the peer are the kinds of {@link holdfast.sync.Message}.
 *
 * <p>A {@link holdfast.sync.Replica} is what a round reads of its own side. What entered the proven
 * set has a <em>position</em> there, in the order in which it entered; a {@link
 * holdfast.sync.Marker} says up to which position the peer is known to hold everything.
 *
 * <p>Which names one side has and the other lacks is found out by a {@link
 * holdfast.sync.Reconciler}, of which there are four: by Bloom filter, Merkle tree, rateless
 * sketch, and naively. Whether there is any difference, a {@link holdfast.sync.SetDigest} tells.
 * All hash names under a salt that both sides made after the sets were fixed, so that nobody can
 * prepare names that collide.
 */
@NullMarked
package holdfast.sync;

import org.jspecify.annotations.NullMarked;
