package holdfast.capsule;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;

/**
 * A writer's proof that it holds its key, made once a session: a signature over tag ‖ server
 * identity ‖ capsule ‖ the client's nonce ‖ the server's nonce. It names the server, so a server
 * cannot pass the challenge of another on and use the answer there.
 */
public final class Possession {
  private Possession() {}

  private static byte[] message(
      VerifyKey server, Hash capsule, Hash clientNonce, Hash serverNonce) {
    Encoder out = new Encoder(160);
    server.encode(out);
    return out.hash(capsule).hash(clientNonce).hash(serverNonce).toBytes();
  }

  /** Makes the proof. */
  public static byte[] prove(
      SigningKey writer, VerifyKey server, Hash capsule, Hash clientNonce, Hash serverNonce) {
    return writer.sign(Domain.POSSESSION, message(server, capsule, clientNonce, serverNonce));
  }

  /** Checks the proof. */
  public static void verify(
      VerifyKey writer,
      VerifyKey server,
      Hash capsule,
      Hash clientNonce,
      Hash serverNonce,
      byte[] signature)
      throws ProofException {
    writer.verify(Domain.POSSESSION, message(server, capsule, clientNonce, serverNonce), signature);
  }
}
