/**
 * The protocols in a simulated world: the real machines on a network, disks and clocks that a seed
 * decides about. What fails is repeated from its seed.
 */
@NullMarked
package holdfast.sim;

import org.jspecify.annotations.NullMarked;
