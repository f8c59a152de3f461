package holdfast.device;

/** What happens when an edge says that it will never take some of the changes of a batch. */
public enum Rejection {
  /** They are set aside and told as lost; the others go on, in their order. */
  SKIP,
  /** Nothing more is sent until somebody has seen to it. */
  STOP
}
