package holdfast.e2e;

/** What can befall one replica of a capsule. */
enum Fault {
  /** kill -9; comes back on its data. */
  KILLED,
  /** SIGSTOP: the system takes its connections, and nothing answers. */
  FROZEN,
  /** Its connections are reset, again and again. */
  CUT,
  /** Everything from and to it is late. */
  DELAYED,
  /** Little gets through at a time. */
  NARROWED,
  /** Nothing gets through; connections stay open. */
  PARTITIONED,
  /** It hears nothing, or is not heard; the other direction works. */
  ONE_WAY,
  /** Its disk has no room, or less than the server wants to keep. */
  DISK_FULL,
  /** All it kept is gone but its identity; it comes back empty. */
  EMPTIED,
  /** Bits in its files flip. */
  ROTTEN,
  /** Its power fails: what was not synced is gone. */
  POWER_CUT
}
