/**
 * What tests are made of: values drawn from a seed, properties checked over many seeds, and bytes
 * bent out of shape.
 *
 * <p>{@link holdfast.testkit.Gen} draws values; the same seed draws the same ones. {@link
 * holdfast.testkit.Property} runs a check over many seeds and names the one that fails, which
 * {@code -Dholdfast.seed=N} replays alone. {@link holdfast.testkit.Mutator} alters encodings: each
 * single byte, each truncation, or at random from a corpus. {@link holdfast.testkit.Patience} is
 * how long a test waits for what has to come.
 *
 * <p>Nothing here reads a clock or the system's randomness, except the time limit of a fuzz run and
 * the choice of a port.
 */
@NullMarked
package holdfast.testkit;

import org.jspecify.annotations.NullMarked;
