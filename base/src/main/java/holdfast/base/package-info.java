/**
 * The vocabulary every other module speaks: bytes, hashes, canonical encoding, limits and errors.
 *
 * <p>Everything that is hashed or signed in Holdfast passes through {@link holdfast.base.Encoder}
 * and comes back through {@link holdfast.base.Decoder}: fixed field order, big-endian integers,
 * length-prefixed byte strings. There is exactly one encoding of a value; a decoder refuses every
 * other one, so <em>decode, then encode</em> is the identity on accepted input.
 *
 * <p>Four kinds of errors exist and no others: an expected outcome is a sealed result type; bad
 * evidence is {@link holdfast.base.ProofException}, the one checked exception; an operating failure
 * is a {@link holdfast.base.HoldfastException} carrying an {@link holdfast.base.ErrorCode}; an
 * impossible state is an {@link AssertionError} and stops the component that met it.
 */
@NullMarked
package holdfast.base;

import org.jspecify.annotations.NullMarked;
