/**
 * The one port: gRPC over TLS 1.3, and who is at the other end. Knows no protocol.
 *
 * <p>A node is its Ed25519 identity. TLS needs an ECDSA P-256 certificate (BoringSSL refuses
 * Ed25519 ones), so a node makes a fresh one at every start and puts into it a signature of its
 * identity over the certificate's key. Whoever connects checks that signature during the handshake
 * and compares the identity with the one it has pinned; certificate authorities and host names play
 * no part.
 */
@NullMarked
package holdfast.net;

import org.jspecify.annotations.NullMarked;
