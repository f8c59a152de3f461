/**
 * Keys, signatures, sealing and hashing, each with one way to do it.
 *
 * <p>Algorithms are fixed by the format: SHA-256, HMAC and HKDF over it (RFC 5869), Ed25519 (RFC
 * 8032), AES-256-GCM (NIST SP 800-38D) and HPKE base mode with X25519 (RFC 9180). What can be
 * chosen is only the provider: the Amazon Corretto provider where its native library loads, the JDK
 * otherwise. SHA-256 always comes from the JDK, whose intrinsic is faster for short input.
 *
 * <p>Every hash and signature begins with an eight-byte tag from {@link holdfast.crypto.Domain},
 * the one file in which all of them stand, so that a value made for one purpose is never valid for
 * another. Secrets live in {@link holdfast.crypto.Secret}, which does not print.
 */
@NullMarked
package holdfast.crypto;

import org.jspecify.annotations.NullMarked;
