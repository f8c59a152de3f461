package holdfast.device;

/**
 * When what is put into a queue is made safe from loss of power. It is safe from the end of the
 * process at once, and is always synced before it is sent.
 */
public enum Syncing {
  /** Before the caller goes on. */
  EACH,
  /** After an interval at most. */
  INTERVAL,
  /** Only before a batch is sent. */
  NONE
}
