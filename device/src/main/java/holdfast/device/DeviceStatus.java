package holdfast.device;

/**
 * Figures of a device; what was sent counts since it was opened.
 *
 * @param link how device and edge stand with each other
 * @param trouble what is wrong, for people; empty when nothing is
 * @param rejection why the edge rejected operations for good the last time; empty when it did not
 * @param sent operations that the edge has taken
 * @param batches batches that the edge has taken
 * @param bytesSent bytes of batches sent, those of failed attempts included
 * @param failures attempts that failed since one succeeded
 */
public record DeviceStatus(
    QueueStatus queue,
    LinkState link,
    String trouble,
    String rejection,
    long sent,
    long batches,
    long bytesSent,
    int failures,
    long rememberedBytes) {}
