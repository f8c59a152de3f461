package holdfast.crypto;

import java.nio.charset.StandardCharsets;

/**
 * Every domain-separation tag of format version 1. A tag is exactly eight ASCII bytes, so no tag is
 * the beginning of another. Nothing is hashed, signed or derived without one.
 */
public enum Domain {
  /** Capsule name: hash of metadata. */
  CAPSULE("hf1.caps"),
  /** Record name: hash of a header. */
  RECORD("hf1.reco"),
  /** Merkle leaf: hash of a sealed leaf. */
  LEAF("hf1.leaf"),
  /** Merkle node: hash of two children. */
  NODE("hf1.node"),
  /** A writer's signature of a record name. */
  SIGN_RECORD("hf1.sign"),
  /** The owner's signature under the creation of a capsule. */
  SIGN_CREATE("hf1.crea"),
  /** The owner's signature under an erasure. */
  SIGN_ERASE("hf1.eras"),
  /** The owner's signature under a grant of a content key. */
  SIGN_GRANT("hf1.gran"),
  /** The owner's signature under a succession. */
  SIGN_SUCCEED("hf1.succ"),
  /** The owner's signature under a placement. */
  SIGN_PLACE("hf1.plac"),
  /** The owner's signature under a release of earlier placements. */
  SIGN_RELEASE("hf1.rels"),
  /** Name of a statement: hash of its encoding. */
  STATEMENT("hf1.stat"),
  /** A writer's proof that it holds its key, bound to one server and session. */
  POSSESSION("hf1.poss"),
  /** A server's signature under a receipt. */
  RECEIPT("hf1.rcpt"),
  /** One operation in the Merkle tree of a receipt. */
  RECEIPT_LEAF("hf1.rlea"),
  /** A server's signature under an answer about freshness. */
  FRESH("hf1.frsh"),
  /** A server's signature under its word that a record is not there. */
  ABSENCE("hf1.absn"),
  /** Nonce of a question that refers to a receipt. */
  CHALLENGE("hf1.chal"),
  /** A node identity's signature over its TLS key. */
  TLS_BINDING("hf1.tlsb"),
  /** Associated data of a sealed leaf. */
  SEAL("hf1.seal"),
  /** HKDF info: session key from content key. */
  SESSION_KEY("hf1.sess"),
  /** HKDF info: record key from session key. */
  RECORD_KEY("hf1.rkey"),
  /** Commitment to a record key. */
  KEY_COMMITMENT("hf1.kcom"),
  /** HKDF info: reader's X25519 key from the seed of a key file. */
  READER_KEY("hf1.read"),
  /** HPKE info: a granted content key. */
  GRANT_SEAL("hf1.gsea"),
  /** Salt of a round of anti-entropy. */
  ROUND_SALT("hf1.roun"),
  /** What stands for a signature in the sets that replicas compare. */
  SIGNED_ENTRY("hf1.sgne"),
  /** One name in the digest of a set of names. */
  SET_ITEM("hf1.item"),
  /** Key under which the names of a set are hashed in one round of anti-entropy. */
  SET_KEY("hf1.setk"),
  /** Weight of a server for a capsule, by which servers are chosen. */
  RENDEZVOUS("hf1.rdzv"),
  /** A server's signature under its word on how much of a capsule it holds. */
  HOLDING("hf1.hold"),
  /** An edge's signature under what it says of itself, for one server. */
  EDGE_STATE("hf1.edge"),
  /** A device's signature under what it says of a range of its operations. */
  DEVICE_BATCH("hf1.devb"),
  /** A device's signature at its enrolment. */
  DEVICE_ENROLMENT("hf1.deve"),
  /** Hash of an idempotency key, and of a request that came with one. */
  IDEMPOTENCY("hf1.idem"),
  /** Hash of a login, under a key of the process, by which a verified one is known again. */
  LOGIN("hf1.logn");

  /** Size of every tag in bytes. */
  public static final int TAG_SIZE = 8;

  // Written once, here; handed out only as copies.
  @SuppressWarnings("ImmutableEnumChecker")
  private final byte[] tag;

  Domain(String tag) {
    this.tag = tag.getBytes(StandardCharsets.US_ASCII);
    if (this.tag.length != TAG_SIZE) {
      throw new AssertionError("a tag has eight bytes: " + tag);
    }
  }

  /** A fresh copy of the tag. */
  public byte[] tag() {
    return tag.clone();
  }

  /** Writes the tag at {@code offset}. */
  public void write(byte[] to, int offset) {
    System.arraycopy(tag, 0, to, offset, TAG_SIZE);
  }

  byte[] unsafeTag() {
    return tag;
  }
}
