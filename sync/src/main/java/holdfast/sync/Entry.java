package holdfast.sync;

import holdfast.base.Hash;

/**
 * Something that entered the proven set.
 *
 * @param position its place in the order of entering, at this replica
 * @param name the record's name, or the name of the statement that signs it
 * @param arrival arrival number, at this replica, of the record or of the record signed
 * @param signature whether this is a signature
 */
public record Entry(long position, Hash name, long arrival, boolean signature) {}
