package holdfast.device;

/** What a queue does with a new operation when it is full. */
public enum Overflow {
  /** The caller waits until there is room. */
  BLOCK,
  /** The oldest operation that is in no batch yet is lost; the edge is told so. */
  DROP_OLDEST,
  /** The new operation is not taken. */
  REFUSE
}
