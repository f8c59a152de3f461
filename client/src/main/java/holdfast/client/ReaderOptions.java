package holdfast.client;

/**
 * How a reader reads.
 *
 * @param cacheEntries entries of the verification cache that the server is asked to mirror; 0 for
 *     none
 * @param timeoutMillis how long to wait for an answer
 */
public record ReaderOptions(int cacheEntries, long timeoutMillis) {
  /** A cache of 65,536 entries. */
  public static ReaderOptions defaults() {
    return new ReaderOptions(1 << 16, 30_000);
  }

  /** No cache: every proof goes up to a signature. */
  public static ReaderOptions withoutCache() {
    return new ReaderOptions(0, 30_000);
  }

  /** With a cache of another size. */
  public ReaderOptions withCacheEntries(int entries) {
    return new ReaderOptions(entries, timeoutMillis);
  }
}
