package holdfast.node.replication;

import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;

/** A server that keeps a capsule. */
public record Member(VerifyKey identity, Endpoint endpoint) {}
