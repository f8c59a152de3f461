package holdfast.device;

/** How a device and its edge stand with each other. */
public enum LinkState {
  /** Nothing was tried yet. */
  IDLE,
  /** The last request was answered. */
  ONLINE,
  /** There was no answer; it is tried again, less and less often. */
  OFFLINE,
  /** The edge asked to come later. */
  BUSY,
  /** The credentials or the rights do not suffice; somebody has to see to it. */
  DENIED,
  /** The edge has other contents under the numbers of this queue; see DeviceQueue.renew. */
  CONFLICT,
  /** The edge refuses what is sent; somebody has to see to it. */
  REFUSED,
  /** The device has no name at the edge yet. */
  NOT_ENROLLED
}
