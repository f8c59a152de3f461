package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import holdfast.base.Hash;
import holdfast.client.Server;
import holdfast.testkit.Patience;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What was acknowledged as SYNCED is there after a crash of the process, a power cut, and a disk
 * that fails. More rounds: {@code -Dholdfast.kills=20 -Dholdfast.powercuts=10}.
 */
class DurabilityTest {
  @TempDir Path folder;

  private final long seed = Long.getLong("holdfast.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final Workload workload = new Workload(seed);

  @BeforeEach
  void tellTheSeed() {
    System.out.printf("replay with -Dholdfast.seed=%d%n", seed);
  }

  private static void awaitReceipts(Workload workload, int count) {
    long deadline = System.nanoTime() + Patience.NANOS;
    while (workload.receipts() < count) {
      assertThat(System.nanoTime()).as("receipts come").isLessThan(deadline);
      LockSupport.parkNanos(200_000);
    }
  }

  @Test
  void killedAtAnyMomentLosesNothingPromised() throws Exception {
    int rounds = Integer.getInteger("holdfast.kills", 3);
    Path data = folder.resolve("data");
    for (int round = 0; round < rounds; round++) {
      try (ServerProcess process = ServerProcess.start(data, folder.resolve("log"));
          Server server = process.connect()) {
        if (round == 0) {
          workload.create(server);
        }
        workload.expectAll(server, workload.promised());
        Thread writer = workload.stream(server);
        awaitReceipts(workload, workload.receipts() + 1 + random.nextInt(120));
        LockSupport.parkNanos(random.nextInt(3_000_000));
        process.kill();
        writer.join();
      }
    }
    try (ServerProcess process = ServerProcess.start(data, folder.resolve("log"));
        Server server = process.connect()) {
      workload.expectAll(server, workload.promised());
    }
    System.out.printf(
        "kill -9: %d rounds, %d records promised, none lost (seed %d)%n",
        rounds, workload.promised().size(), seed);
  }

  @Test
  void aPowerCutLosesNothingPromised() throws Exception {
    int rounds = Integer.getInteger("holdfast.powercuts", 1);
    try (LoopDisk disk = LoopDisk.make(folder.resolve("image"), folder.resolve("disk"), 192)) {
      assumeTrue(
          disk != null,
          "NOT TESTED: a power cut needs the right to loop-mount an ext4 image (run as root)");
      for (int round = 0; round < rounds; round++) {
        powerCut(disk, round);
      }
    }
    System.out.printf(
        "power cut: %d rounds, %d records promised, none lost (seed %d)%n",
        rounds, workload.promised().size(), seed);
  }

  private void powerCut(LoopDisk disk, int round) throws Exception {
    Path copy = folder.resolve("copy" + round);
    List<Hash> promised;
    try (ServerProcess process =
            ServerProcess.start(disk.folder().resolve("data"), folder.resolve("log" + round));
        Server server = process.connect()) {
      if (round == 0) {
        workload.create(server);
      }
      Thread writer = workload.stream(server);
      awaitReceipts(workload, workload.receipts() + 20 + random.nextInt(200));
      LockSupport.parkNanos(random.nextInt(5_000_000));
      promised = workload.promised();
      // The process stands still while the image is copied: the copy is of one moment. What the
      // file system has not yet written is not in the image; the last lines show that it is so.
      process.signal("STOP");
      Files.writeString(disk.folder().resolve("unsynced" + round), "not on the disk".repeat(1000));
      disk.copyAtRest(copy);
      process.signal("CONT");
      awaitReceipts(workload, workload.receipts() + 1);
      process.kill();
      writer.join();
    }
    try (LoopDisk left = LoopDisk.mount(copy, folder.resolve("left" + round))) {
      try (ServerProcess process =
              ServerProcess.start(left.folder().resolve("data"), folder.resolve("log" + round));
          Server server = process.connect()) {
        workload.expectAll(server, promised);
      }
      Path unsynced = left.folder().resolve("unsynced" + round);
      assertThat(Files.exists(unsynced) ? Files.readString(unsynced) : "")
          .as("what was never synced is not in the copy, so the copy does cut the power")
          .doesNotContain("not on the disk");
    }
    Files.delete(copy);
  }

  @Test
  void afterAFailedSyncNothingIsPromisedAndTheServerStops() throws Exception {
    Path data = folder.resolve("data");
    Path trace = folder.resolve("trace");
    assumeTrue(
        LoopDisk.run("strace", "-f", "-o", "/dev/null", "true"),
        "NOT TESTED: making fdatasync fail needs strace and the right to trace");
    int failing = 20 + random.nextInt(60);
    try (ServerProcess process =
            ServerProcess.start(
                data,
                folder.resolve("log"),
                "strace",
                "-f",
                "--seccomp-bpf",
                "-qq",
                "-o",
                trace.toString(),
                "-e",
                "trace=fdatasync,fsync",
                "-e",
                "inject=fdatasync:error=EIO:when=" + failing + "+");
        Server server = process.connect()) {
      workload.create(server);
      Thread writer = workload.stream(server);
      assertThat(process.awaitExit()).as("exit code of the server").isEqualTo(3);
      writer.join();
      assertThat(process.log()).contains("cannot be made durable; the store stops");
    }
    String calls = Files.readString(trace);
    assertThat(calls).contains("EIO (Input/output error) (INJECTED)");
    assertThat(workload.promised()).isNotEmpty();
    try (ServerProcess process = ServerProcess.start(data, folder.resolve("log2"));
        Server server = process.connect()) {
      workload.expectAll(server, workload.promised());
      workload.write(server, 10);
    }
    System.out.printf(
        "failing fdatasync: call %d failed after %d receipts, %d records promised, none lost%n",
        failing, workload.receipts(), workload.promised().size());
  }
}
