package holdfast.bench;

import java.io.IOException;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A process, and what it used as wait4(2) tells its parent: the method of the report on the first
 * edge database, section 4.1, whose {@code time} utility asks the same. Linux only.
 *
 * <p>Linux counts the memory that a process shared with its parent before it became its own
 * program, which after this JVM would be the JVM's. So a shell is started that starts the process
 * and ends; the process, now an orphan, becomes ours, because we said that we take in orphans
 * (prctl(2)).
 */
final class MeasuredProcess {
  /**
   * What a process used.
   *
   * @param exit its exit code; 128 and the signal when one ended it
   * @param realSeconds from its start to its end
   * @param userSeconds processor time outside the kernel
   * @param sysSeconds processor time in the kernel
   * @param maxResidentKiB the most memory it had at once
   * @param majorFaults pages it waited for the disk for
   * @param minorFaults pages that were found in memory
   */
  record Usage(
      int exit,
      double realSeconds,
      double userSeconds,
      double sysSeconds,
      long maxResidentKiB,
      long majorFaults,
      long minorFaults) {
    /** Processor time by real time, in percent: 100 is one core. */
    double cpuPercent() {
      return 100 * (userSeconds + sysSeconds) / realSeconds;
    }
  }

  private static final int RUSAGE_BYTES = 144;
  private static final int USER_TIME = 0;
  private static final int SYSTEM_TIME = 16;
  private static final int MAX_RESIDENT = 32;
  private static final int MINOR_FAULTS = 64;
  private static final int MAJOR_FAULTS = 72;

  private static final AddressLayout POINTER = ValueLayout.ADDRESS;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final SymbolLookup LIBC = LINKER.defaultLookup();

  private static final int SET_CHILD_SUBREAPER = 36;

  private static final MethodHandle PRCTL =
      function("prctl", ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG);
  private static final MethodHandle WAIT4 =
      function("wait4", ValueLayout.JAVA_INT, POINTER, ValueLayout.JAVA_INT, POINTER);

  private MeasuredProcess() {}

  // Calls into the C library are what this class is for.
  @SuppressWarnings("restricted")
  private static MethodHandle function(String name, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        LIBC.find(name)
            .orElseThrow(() -> new UnsupportedOperationException("this system has no " + name)),
        FunctionDescriptor.of(ValueLayout.JAVA_INT, arguments));
  }

  /**
   * Runs a command, its output and errors being ours, and waits for its end.
   *
   * @param command the program, looked for on the PATH, and its arguments
   * @param environment what it finds in its environment besides what is in ours
   * @throws IOException when it cannot be started or waited for
   */
  static Usage run(List<String> command, Map<String, String> environment)
      throws IOException, InterruptedException {
    if (!System.getProperty("os.name").equals("Linux")) {
      throw new UnsupportedOperationException("processes are measured on Linux only");
    }
    Path number = Files.createTempFile("holdfast-process", ".pid");
    try (Arena arena = Arena.ofConfined()) {
      takeInOrphans(true);
      int pid = start(command, environment, number);
      long begin = System.nanoTime();
      MemorySegment status = arena.allocate(ValueLayout.JAVA_INT);
      MemorySegment usage = arena.allocate(RUSAGE_BYTES, Long.BYTES);
      int ended = (int) WAIT4.invokeExact(pid, status, 0, usage);
      double real = (System.nanoTime() - begin) / 1e9;
      if (ended != pid) {
        throw new IOException("process " + pid + " cannot be waited for");
      }
      return new Usage(
          exit(status.get(ValueLayout.JAVA_INT, 0)),
          real,
          seconds(usage, USER_TIME),
          seconds(usage, SYSTEM_TIME),
          usage.get(ValueLayout.JAVA_LONG, MAX_RESIDENT),
          usage.get(ValueLayout.JAVA_LONG, MAJOR_FAULTS),
          usage.get(ValueLayout.JAVA_LONG, MINOR_FAULTS));
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a call into the C library throws nothing", e);
    } finally {
      takeInOrphans(false);
      Files.delete(number);
    }
  }

  private static int start(List<String> command, Map<String, String> environment, Path number)
      throws IOException, InterruptedException {
    List<String> words = new ArrayList<>();
    words.addAll(
        List.of(
            "sh",
            "-c",
            "command -v \"$1\" >/dev/null || exit 127; exec 3<&0; f=$0;"
                + " { read -r go <&3; exec \"$@\" 3<&- </dev/null; } & echo $! >\"$f\"",
            number.toString()));
    words.addAll(command);
    // It begins at the end of our pipe to the shell, which the JDK closes when the shell has ended:
    // before, the shell could be told of its end.
    ProcessBuilder shell =
        new ProcessBuilder(words)
            .redirectOutput(ProcessBuilder.Redirect.INHERIT)
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    shell.environment().putAll(environment);
    int exit = shell.start().waitFor();
    if (exit != 0) {
      throw new IOException(command.getFirst() + " cannot be started");
    }
    return Integer.parseInt(Files.readString(number).strip());
  }

  private static void takeInOrphans(boolean yes) {
    try {
      if ((int) PRCTL.invokeExact(SET_CHILD_SUBREAPER, yes ? 1L : 0L) != 0) {
        throw new IllegalStateException("this system does not let us take in orphans");
      }
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a call into the C library throws nothing", e);
    }
  }

  private static double seconds(MemorySegment usage, int offset) {
    return usage.get(ValueLayout.JAVA_LONG, offset)
        + usage.get(ValueLayout.JAVA_LONG, offset + Long.BYTES) / 1e6;
  }

  /** As a shell tells it. */
  private static int exit(int status) {
    int signal = status & 0x7f;
    return signal == 0 ? status >> 8 & 0xff : 128 + signal;
  }
}
