package holdfast.node.replication;

import holdfast.sync.Progress;
import org.jspecify.annotations.Nullable;

/**
 * What a server says of a peer that keeps the same capsule.
 *
 * @param meeting whether a round is under way
 * @param lastFullMillis when a round was last complete, milliseconds since 1970; 0 for not since
 *     the start
 * @param current how far the round under way is
 * @param last what the last complete round moved
 * @param trouble why the last round failed, if it did
 * @param liar whether the peer broke the protocol or sent something false
 */
public record PeerState(
    Member member,
    boolean meeting,
    long lastFullMillis,
    @Nullable Progress current,
    @Nullable Progress last,
    @Nullable String trouble,
    boolean liar) {}
