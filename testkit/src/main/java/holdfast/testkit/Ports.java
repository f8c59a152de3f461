package holdfast.testkit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Random;

/**
 * Ports for servers that come back where they were, or that other processes start. Such a port is
 * free for a while before it is bound. One that the system has chosen would be given to the next
 * who asks for any; these lie below those that systems choose from.
 */
public final class Ports {
  private static final int FIRST = 20_000;
  private static final int LAST = 32_000;
  private static final int ATTEMPTS = 100;

  private Ports() {}

  /** A port of the loopback interface that nobody listens on. */
  public static int free() {
    return free(1);
  }

  /**
   * The first of ports in a row that nobody listens on.
   *
   * @param count how many of them
   */
  public static int free(int count) {
    Random random = new Random();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      int first = random.nextInt(FIRST, LAST - count);
      int found = 0;
      while (found < count && free(InetAddress.getLoopbackAddress(), first + found)) {
        found++;
      }
      if (found == count) {
        return first;
      }
    }
    throw new IllegalStateException("no port between " + FIRST + " and " + LAST + " is free");
  }

  private static boolean free(InetAddress address, int port) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(address, port));
      return true;
    } catch (IOException e) {
      // Somebody has it.
      return false;
    }
  }
}
