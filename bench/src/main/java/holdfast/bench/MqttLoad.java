package holdfast.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.PemTrustOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.HdrHistogram.ConcurrentHistogram;
import org.jspecify.annotations.Nullable;

/**
 * Publishers that send one message after the other and wait for each to be acknowledged. They speak
 * MQTT 3.1.1 just as far as that takes, so that they cost little beside the server.
 */
final class MqttLoad implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 30;
  private static final int ANSWER_BYTES = 4;
  private static final int CONNACK = 0x20;
  private static final int PUBACK = 0x40;

  private final Vertx vertx;

  /** Held, because its connections are closed when it is collected. */
  private final NetClient client;

  private final List<Publisher> publishers = new ArrayList<>();
  private final AtomicReference<@Nullable String> failure = new AtomicReference<>();
  private final ConcurrentHistogram nanos = new ConcurrentHistogram(3);
  private volatile boolean counting;
  private boolean running;
  private volatile boolean closing;

  /** Connects publishers to a server and logs them in. */
  MqttLoad(EdgeProcess edge, int port, int publishers, int valueBytes) throws Exception {
    this.vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1).setUseDaemonThread(true));
    try {
      Path authority = edge.authority();
      this.client =
          vertx.createNetClient(
              new NetClientOptions()
                  .setSsl(true)
                  .setTcpNoDelay(true)
                  .setHostnameVerificationAlgorithm("HTTPS")
                  .setTrustOptions(new PemTrustOptions().addCertPath(authority.toString())));
      for (int i = 0; i < publishers; i++) {
        NetSocket socket =
            client
                .connect(port, edge.host())
                .toCompletionStage()
                .toCompletableFuture()
                .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        Publisher publisher = new Publisher(socket, edge, i, valueBytes);
        this.publishers.add(publisher);
        publisher.logIn();
      }
    } catch (ExecutionException
        | TimeoutException
        | IOException
        | InterruptedException
        | RuntimeException e) {
      closing = true;
      vertx.close();
      throw e;
    }
  }

  /**
   * What a run brought.
   *
   * @param messages acknowledged
   */
  record Load(long messages, double seconds, double p50Millis, double p99Millis, double maxMillis) {
    double perSecond() {
      return messages / seconds;
    }
  }

  /**
   * Publishes for a time.
   *
   * @throws IOException when a connection broke, or an answer was another than expected
   */
  Load run(int seconds) throws IOException, InterruptedException {
    if (!running) {
      running = true;
      publishers.forEach(Publisher::begin);
    }
    nanos.reset();
    counting = true;
    long start = System.nanoTime();
    TimeUnit.SECONDS.sleep(seconds);
    counting = false;
    double spent = (System.nanoTime() - start) / 1e9;
    String why = failure.get();
    if (why != null) {
      throw new IOException(why);
    }
    return new Load(
        nanos.getTotalCount(),
        spent,
        nanos.getValueAtPercentile(50) / 1e6,
        nanos.getValueAtPercentile(99) / 1e6,
        nanos.getMaxValue() / 1e6);
  }

  @Override
  public void close() {
    closing = true;
    vertx
        .close()
        .toCompletionStage()
        .toCompletableFuture()
        .orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS)
        .join();
  }

  static byte[] text(String text) {
    byte[] utf8 = text.getBytes(UTF_8);
    byte[] whole = new byte[2 + utf8.length];
    whole[0] = (byte) (utf8.length >> 8);
    whole[1] = (byte) utf8.length;
    System.arraycopy(utf8, 0, whole, 2, utf8.length);
    return whole;
  }

  /** A packet of at most 16,383 bytes (MQTT 3.1.1, section 2.2). */
  static byte[] packet(int first, byte[]... parts) {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      body.writeBytes(part);
    }
    int size = body.size();
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    whole.write(first);
    if (size < 0x80) {
      whole.write(size);
    } else {
      whole.write((size & 0x7f) | 0x80);
      whole.write(size >> 7);
    }
    whole.writeBytes(body.toByteArray());
    return whole.toByteArray();
  }

  /** One connection. All of it happens on the event loop. */
  private final class Publisher {
    private final NetSocket socket;
    private final Buffer connect;
    private final Buffer publish;
    private final byte[] answer = new byte[ANSWER_BYTES];
    private int answered;
    private long sentNanos;
    private final CountDownLatch accepted = new CountDownLatch(1);

    Publisher(NetSocket socket, EdgeProcess edge, int number, int valueBytes) {
      this.socket = socket;
      byte[] cleanWithLogin = {4, (byte) 0b1100_0010, 0, 60};
      this.connect =
          Buffer.buffer(
              packet(
                  0x10,
                  text("MQTT"),
                  cleanWithLogin,
                  text("publisher" + number),
                  text(EdgeProcess.USER),
                  text(edge.password())));
      byte[] identifier = {0, 1};
      this.publish =
          Buffer.buffer(
              packet(0x32, text("kv/bench/k" + number), identifier, new byte[valueBytes]));
    }

    /** Waits until the server has taken the login. */
    void logIn() throws IOException, InterruptedException {
      socket.handler(this::take);
      socket.closeHandler(gone -> fail("the server closed a connection"));
      socket.exceptionHandler(broken -> fail("a connection broke: " + broken));
      socket.write(connect);
      if (!accepted.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        throw new IOException("the server did not take the login: " + failure.get());
      }
    }

    void begin() {
      sentNanos = System.nanoTime();
      socket.write(publish);
    }

    private void fail(String why) {
      if (!closing) {
        failure.compareAndSet(null, why);
      }
    }

    private void take(Buffer bytes) {
      for (int i = 0; i < bytes.length(); i++) {
        answer[answered++] = bytes.getByte(i);
        if (answered == ANSWER_BYTES) {
          answered = 0;
          next();
        }
      }
    }

    private void next() {
      boolean connected = answer[0] == CONNACK && answer[3] == 0;
      boolean taken = answer[0] == PUBACK && answer[3] == 1;
      if (!connected && !taken) {
        fail("an answer makes no sense: it begins with " + answer[0]);
        return;
      }
      if (connected) {
        accepted.countDown();
        return;
      }
      long now = System.nanoTime();
      if (counting) {
        nanos.recordValue(now - sentNanos);
      }
      if (!closing) {
        sentNanos = now;
        socket.write(publish);
      }
    }
  }
}
