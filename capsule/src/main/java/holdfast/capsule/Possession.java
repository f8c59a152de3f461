package holdfast.capsule;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import org.jspecify.annotations.Nullable;

/**
 * A writer's proof that it holds its key, made once a session: a signature over tag ‖ server
 * identity ‖ capsule ‖ the client's nonce ‖ the server's nonce. It names the server, so a server
 * cannot pass the challenge of another on and use the answer there. Then come the protocol versions
 * that the client stated and those that the server did, as each of them sees it, so that nobody
 * between them brings about an older one. A client that states none leaves them out.
 */
public final class Possession {
  private Possession() {}

  /** The versions that client and server stated to each other. */
  public record Stated(Versions client, Versions server) {}

  private static byte[] message(
      VerifyKey server,
      Hash capsule,
      Hash clientNonce,
      Hash serverNonce,
      @Nullable Stated versions) {
    Encoder out = new Encoder(160);
    server.encode(out);
    out.hash(capsule).hash(clientNonce).hash(serverNonce);
    if (versions != null) {
      versions.client().encode(out);
      versions.server().encode(out);
    }
    return out.toBytes();
  }

  /**
   * Makes the proof.
   *
   * @param versions null for a client that states none
   */
  public static byte[] prove(
      SigningKey writer,
      VerifyKey server,
      Hash capsule,
      Hash clientNonce,
      Hash serverNonce,
      @Nullable Stated versions) {
    return writer.sign(
        Domain.POSSESSION, message(server, capsule, clientNonce, serverNonce, versions));
  }

  /** Checks the proof. */
  public static void verify(
      VerifyKey writer,
      VerifyKey server,
      Hash capsule,
      Hash clientNonce,
      Hash serverNonce,
      @Nullable Stated versions,
      byte[] signature)
      throws ProofException {
    writer.verify(
        Domain.POSSESSION, message(server, capsule, clientNonce, serverNonce, versions), signature);
  }
}
