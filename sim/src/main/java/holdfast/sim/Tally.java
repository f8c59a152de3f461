package holdfast.sim;

/** What is counted in a simulated world. */
final class Tally {
  private long rounds;
  private long finished;
  private long gaveUp;
  private long lied;

  void round() {
    rounds++;
  }

  void finished() {
    finished++;
  }

  void gaveUp() {
    gaveUp++;
  }

  void lied() {
    lied++;
  }

  long rounds() {
    return rounds;
  }

  long finishedSides() {
    return finished;
  }

  long gaveUpSides() {
    return gaveUp;
  }

  long liarsFound() {
    return lied;
  }
}
