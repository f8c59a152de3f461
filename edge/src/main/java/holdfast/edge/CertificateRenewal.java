package holdfast.edge;

import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks once a day whether the certificate that the edge's own authority has issued has to be
 * issued anew. Connections that begin afterwards are shown the new one; those that are there go on.
 */
final class CertificateRenewal implements AutoCloseable {
  /** How often the certificate is looked at. */
  static final Duration PERIOD = Duration.ofDays(1);

  private static final Logger LOG = LoggerFactory.getLogger(CertificateRenewal.class);

  private final EdgeFolder folder;
  private final List<String> hosts;
  private final InstantSource clock;
  private final ScheduledExecutorService timer;
  private final ScheduledFuture<?> looking;

  /**
   * Looks from now on, the first time after a period.
   *
   * @param hosts names and addresses that the certificate is to bear
   * @param clock tells how long it is still valid
   */
  CertificateRenewal(EdgeFolder folder, List<String> hosts, InstantSource clock, Duration period) {
    this.folder = folder;
    this.hosts = hosts;
    this.clock = clock;
    this.timer =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon(true).name("holdfast-renewal").factory());
    this.looking =
        timer.scheduleWithFixedDelay(
            this::look, period.toMillis(), period.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void look() {
    try {
      folder.requireCertificate(hosts, clock);
    } catch (RuntimeException | Error e) {
      // The certificate that is there is shown until it works; edge status warns. What is thrown
      // on would end the timer in silence.
      LOG.warn("the certificate of the edge cannot be issued anew", e);
    }
  }

  @Override
  public void close() {
    looking.cancel(true);
    timer.shutdownNow();
  }
}
