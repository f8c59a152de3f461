package holdfast.node;

import holdfast.capsule.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * Statements that wait to be sent to one watch. Bounded: a client that does not read gets to know
 * that there were more, and asks for them.
 */
final class News {
  static final int STATEMENTS = 1024;

  private List<Statement> waiting = new ArrayList<>();
  private boolean skipped;

  /**
   * Statements taken up to be sent.
   *
   * @param skipped whether there were more, which are lost to this watch
   */
  record Batch(List<Statement> statements, boolean skipped) {
    static final Batch NOTHING = new Batch(List.of(), false);

    boolean empty() {
      return statements.isEmpty() && !skipped;
    }

    /** What is left when the first {@code sent} are sent, and that some were skipped is said. */
    Batch without(int sent) {
      return new Batch(statements.subList(sent, statements.size()), false);
    }
  }

  synchronized void add(List<Statement> statements) {
    if (waiting.size() + statements.size() > STATEMENTS) {
      skipped = true;
    } else {
      waiting.addAll(statements);
    }
  }

  synchronized boolean empty() {
    return waiting.isEmpty() && !skipped;
  }

  synchronized Batch take() {
    Batch taken = new Batch(waiting, skipped);
    waiting = new ArrayList<>();
    skipped = false;
    return taken;
  }
}
