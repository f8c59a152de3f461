package holdfast.device;

import java.nio.ByteBuffer;

/**
 * A claim and its device's signature: claim ‖ signature.
 *
 * @param signature Ed25519 over {@link Tag#BATCH} ‖ claim, 64 bytes
 */
public record SignedClaim(Claim claim, Octets signature) {
  /** Bytes of a signature. */
  public static final int SIGNATURE_SIZE = 64;

  /** Checks the size. */
  public SignedClaim {
    signature.expect(SIGNATURE_SIZE, "a signature");
  }

  /** Signs a claim, which must name the public half of the key. */
  public static SignedClaim sign(DeviceKey key, Claim claim) {
    if (!key.publicKey().equals(claim.device())) {
      throw new IllegalArgumentException(
          "the claim names the device " + claim.device() + ", the key is of " + key.publicKey());
    }
    return new SignedClaim(claim, key.sign(Tag.BATCH, claim.encode()));
  }

  /** Whether the signature is by the device that the claim names. */
  public boolean verifies() {
    return DeviceKey.verifies(claim.device(), Tag.BATCH, claim.encode(), signature);
  }

  /** Bytes of the encoding. */
  public int encodedSize() {
    return claim.encodedSize() + SIGNATURE_SIZE;
  }

  /** The encoding. */
  public byte[] encode() {
    byte[] bytes = new byte[encodedSize()];
    encode(ByteBuffer.wrap(bytes));
    return bytes;
  }

  void encode(ByteBuffer out) {
    claim.encode(out);
    out.put(signature.unsafeArray());
  }

  /** Reads one signed claim and nothing else; the signature is not verified. */
  public static SignedClaim decode(byte[] bytes) throws MalformedException {
    return decode(bytes, 0, bytes.length);
  }

  /** Reads one signed claim that is exactly this part of an array. */
  public static SignedClaim decode(byte[] bytes, int offset, int length) throws MalformedException {
    Input in = new Input(bytes, offset, length, "the signed claim");
    SignedClaim signed = read(in);
    in.end();
    return signed;
  }

  static SignedClaim read(Input in) throws MalformedException {
    return new SignedClaim(Claim.read(in), in.octets(SIGNATURE_SIZE));
  }
}
