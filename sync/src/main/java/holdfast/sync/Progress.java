package holdfast.sync;

/**
 * How far a round is, for people and for benches.
 *
 * @param messages messages sent by this side
 * @param bytesSent bytes of all messages sent by this side
 * @param bytesReceived bytes of all messages received by this side
 * @param recordBytesSent of the bytes sent, those that are records and signatures themselves
 * @param recordsSent records sent by this side
 * @param recordsReceived records received by this side, also those that were here already
 * @param entriesToSend entries that this side still means to send, as far as it knows
 */
public record Progress(
    long messages,
    long bytesSent,
    long bytesReceived,
    long recordBytesSent,
    long recordsSent,
    long recordsReceived,
    long entriesToSend) {}
