package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that puts is killed at some moment; what it told of is there. */
class QueueKillTest {
  private static final int ROUNDS = 4;

  @TempDir Path folder;

  /** The process: puts, sends to nobody, and says each number once it is accepted. */
  static final class Putting {
    private Putting() {}

    public static void main(String[] args) throws Exception {
      QueueOptions options =
          QueueOptions.DEFAULTS
              .withSyncing(Syncing.NONE)
              .withMaxBytes(4 << 20)
              .withBatches(50, 9000);
      try (DeviceQueue queue = DeviceQueue.open(Path.of(args[0]), Fixture.KEY, options)) {
        for (int i = 0; ; i++) {
          long sequence =
              queue.put("home", "k" + i % 3000, "", Octets.wrap(new byte[500])).orElseThrow();
          System.out.println(sequence);
          if (i % 200 == 199 && !queue.doubtful()) {
            queue.done(queue.batch().orElseThrow().claim().last());
          }
        }
      }
    }
  }

  /** I13. */
  @Test
  void i13WhatWasAcceptedSurvivesKill9() throws Exception {
    long most = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-XX:TieredStopAtLevel=1",
                  "-XX:+UseSerialGC",
                  "-cp",
                  System.getProperty("java.class.path"),
                  "holdfast.device.QueueKillTest$Putting",
                  folder.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      long told = 0;
      try (BufferedReader lines = process.inputReader(StandardCharsets.US_ASCII)) {
        // Killed in the middle of its work, each time somewhere else; it goes on meanwhile.
        for (int i = 0; i < 3000 + 1777 * round; i++) {
          told = Long.parseLong(lines.readLine());
        }
        assertThat(process.toHandle().destroyForcibly()).isTrue();
        String line = lines.readLine();
        while (line != null) {
          String next = lines.readLine();
          // The last line may have been cut off.
          told = next == null ? told : Long.parseLong(line);
          line = next;
        }
      }
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      most = Math.max(most, told);
      try (DeviceQueue queue = DeviceQueue.open(folder, Fixture.KEY, QueueOptions.DEFAULTS)) {
        assertThat(queue.status().nextSequence()).isGreaterThan(most);
        assertThat(queue.status().recovery().setAside()).isNull();
        assertThat(queue.status().recovery().lostOperations()).isZero();
        if (queue.doubtful()) {
          queue.settle(queue.status().firstSequence() - 1);
        }
        Batch batch = queue.batch().orElseThrow();
        assertThat(batch.verifies()).isTrue();
      }
    }
  }
}
