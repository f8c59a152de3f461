package holdfast.base;

/** What a piece of evidence failed to be. */
public enum Violation {
  /** Bytes that are not the canonical encoding of anything. */
  MALFORMED,
  /** More of something than a limit allows. */
  LIMIT,
  /** Content whose hash is not the name it was asked for. */
  WRONG_NAME,
  /** A body, leaf or path that does not lead to the root in its header. */
  WRONG_BODY,
  /** A record, statement or answer that belongs to another capsule. */
  WRONG_CAPSULE,
  /** A chain with a link that is not in the header above it. */
  BROKEN_CHAIN,
  /** A signature that does not verify, or is by a key that may not sign this. */
  BAD_SIGNATURE,
  /** A chain that holds, though not by the writer it was asked to show. */
  WRONG_WRITER,
  /** A receipt that does not cover what was sent, or is by another server. */
  BAD_RECEIPT,
  /** Ciphertext that does not open, or a key that is not the committed one. */
  BAD_SEAL,
  /** An answer about freshness that does not belong to the question. */
  NOT_FRESH,
  /** A server that is not the one that was pinned. */
  WRONG_SERVER,
  /** Something requested that the answer leaves out without saying so. */
  MISSING,
  /** A record that is not shown to lie below the final heads of a closed capsule. */
  OUTSIDE,
}
