package holdfast.cli;

/** A line on the error stream that counts, if a person watches it. */
final class Progress implements AutoCloseable {
  private static final long INTERVAL_MILLIS = 200;

  private final Terminal terminal;
  private final String what;
  private long shownAtMillis;

  Progress(Terminal terminal, String what) {
    this.terminal = terminal;
    this.what = what;
  }

  void at(long count) {
    long now = System.currentTimeMillis();
    if (terminal.watched && now - shownAtMillis > INTERVAL_MILLIS) {
      shownAtMillis = now;
      terminal.err.print("\r" + count + " " + what);
    }
  }

  void of(long count, long total) {
    long now = System.currentTimeMillis();
    if (terminal.watched && now - shownAtMillis > INTERVAL_MILLIS) {
      shownAtMillis = now;
      terminal.err.print(
          "\r"
              + count
              + " of "
              + total
              + " "
              + what
              + ", "
              + 100 * count / Math.max(1, total)
              + " %");
    }
  }

  @Override
  public void close() {
    if (shownAtMillis != 0) {
      terminal.err.print("\r\033[K");
    }
  }
}
