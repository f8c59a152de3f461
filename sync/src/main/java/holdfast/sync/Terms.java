package holdfast.sync;

import holdfast.base.Hash;

/**
 * What both sides of a round agreed on in HELLO.
 *
 * @param strategy how differences are found; the side that opened the round has decided
 * @param salt made from random bytes of both sides, so that neither could prepare names for it; it
 *     also identifies the round
 * @param marker what this side kept of the newest round that both have completed
 */
record Terms(Strategy strategy, Hash salt, Marker marker) {}
