package holdfast.node.heartbeat;

import holdfast.wire.Heartbeat;
import org.jspecify.annotations.Nullable;

/**
 * How another server is.
 *
 * @param silentMillis since it was heard of, or since it is waited for
 * @param lost whether that is too long
 * @param said what it said last; null when it was not heard of since the start
 */
public record PeerHealth(long silentMillis, boolean lost, @Nullable Heartbeat said) {}
