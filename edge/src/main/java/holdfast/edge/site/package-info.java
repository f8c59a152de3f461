/**
 * The authority of a site: who is a device, a user, an edge or a master here, by X.509 certificates
 * that every TLS library understands.
 *
 * <pre>
 *   FOLDER/ca.key              the authority's private key, ECDSA P-256, PKCS#8; nobody else reads it
 *   FOLDER/ca.pem              its certificate: what clients trust (curl --cacert)
 *   FOLDER/crl.pem             what was revoked, signed; made anew with each revocation
 *   FOLDER/issued/SERIAL.pem   every certificate that was ever issued
 * </pre>
 *
 * <p>There is no other state: what was issued is what lies in the folder, what was revoked is what
 * the list says. A certificate is in the folder before anybody has it, so that all of them can be
 * revoked.
 *
 * <p>A certificate says who its holder is in a URI among its alternative names, {@code
 * holdfast:KIND/NAME}; the common name repeats NAME for people. Whether the holder may do something
 * is not in the certificate: rights are the edge's.
 *
 * <p>Between servers identities decide, and a placement of the owner says which (see {@code
 * holdfast.net}); a site certificate never replaces that.
 */
@NullMarked
package holdfast.edge.site;

import org.jspecify.annotations.NullMarked;
