package holdfast.sim;

/** One end of a connection. */
interface Party {
  /** The connection stands. */
  void begin();

  /** A message of the other end, in the order in which it was sent. */
  void heard(byte[] message);

  /** The connection is broken, or nothing more is said over it. */
  void closed();

  /** Whether this end waits for nothing but the other. */
  boolean waits();

  /** Whether this end has nothing more to say or to hear. */
  boolean over();
}
