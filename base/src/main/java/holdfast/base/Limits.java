package holdfast.base;

/**
 * Upper bounds on everything that another party can send. They belong to the format: all
 * implementations share them, and a value beyond one is refused before anything is allocated.
 */
public final class Limits {
  /** Authorised writers of one capsule. */
  public static final int WRITERS = 256;

  /** UTF-8 bytes of a writer's label. */
  public static final int LABEL_BYTES = 128;

  /** UTF-8 bytes of a description, and of the instructions for readers. */
  public static final int DESCRIPTION_BYTES = 4096;

  /** Extensions of one metadata, and the bytes of each. */
  public static final int EXTENSIONS = 16;

  /** Bytes of one extension. */
  public static final int EXTENSION_BYTES = 4096;

  /** Bytes of encoded metadata. */
  public static final int METADATA_BYTES = 1 << 17;

  /** Backpointers of one record. */
  public static final int BACKPOINTERS = 256;

  /** Leaves of one record's body. */
  public static final int LEAVES = 1 << 20;

  /** Bytes of one sealed leaf. */
  public static final int LEAF_BYTES = 16 << 20;

  /** Sealed bytes of one record's body. */
  public static final int BODY_BYTES = 64 << 20;

  /** Headers in one proof; a chain can be no longer. */
  public static final int PROOF_HEADERS = 1 << 16;

  /** Records in one message. */
  public static final int RECORDS_PER_BATCH = 1 << 14;

  /** Names in one request. */
  public static final int NAMES_PER_REQUEST = 1 << 14;

  /** Final heads of a succession, and heads in one freshness answer. */
  public static final int HEADS = 1 << 12;

  /** Members of a placement. */
  public static final int MEMBERS = 64;

  /** Bytes of a member's address. */
  public static final int ADDRESS_BYTES = 256;

  /** Bytes of one statement. */
  public static final int STATEMENT_BYTES = 1 << 18;

  /** Entries of a verification cache that a server may be asked to mirror. */
  public static final int CACHE_ENTRIES = 1 << 20;

  /** Cached names that may be sent to resume a cache. */
  public static final int RESUMED_NAMES = 1 << 16;

  /** Bytes of one message on the wire. */
  public static final int MESSAGE_BYTES = 24 << 20;

  private Limits() {}
}
