package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Freshness;
import holdfast.capsule.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The first answers of several servers, all asked at the same time, to what is newest, and what
 * each of them shows that the owner has said: who answers for the heads answers for the placements
 * by which it is asked too.
 *
 * @param answers by server, in the order in which they came; heads are proven
 * @param shown the owner's statements as all of these show them, verified
 * @param bad who gave something that does not hold, and what
 * @param last why the last one did not answer; null when none failed
 */
record FreshAnswers(
    Map<Server, Freshness> answers,
    List<Statement> shown,
    Map<Server, ProofException> bad,
    @Nullable Exception last) {
  private record Heard(
      Server server,
      @Nullable Freshness answer,
      List<Statement> shown,
      @Nullable Exception failure) {}

  /**
   * Asks. An answer whose heads lie outside of what the capsule was closed with does not count; it
   * is no bad evidence, since the server may not have heard of it yet.
   *
   * @param closing what is known to close the capsule; null for nothing
   * @param enough whether so many are enough; the others are not waited for then
   */
  static FreshAnswers ask(
      List<Server> servers,
      Hash capsule,
      Statement.@Nullable Succession closing,
      ReaderOptions options,
      Predicate<Set<Server>> enough) {
    BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();
    for (Server server : servers) {
      Thread.ofVirtual().start(() -> heard.add(answer(server, capsule, closing, options)));
    }
    Map<Server, Freshness> answers = new LinkedHashMap<>();
    List<Statement> shown = new ArrayList<>();
    Map<Server, ProofException> bad = new LinkedHashMap<>();
    Exception last = null;
    try {
      for (int i = 0; i < servers.size() && !enough.test(answers.keySet()); i++) {
        Heard one = heard.take();
        Freshness answer = one.answer();
        if (answer != null) {
          answers.put(one.server(), answer);
          shown.addAll(one.shown());
        } else {
          last = one.failure();
          if (last instanceof ProofException proof && proof.violation() != Violation.OUTSIDE) {
            bad.put(one.server(), proof);
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while asking", e);
    }
    return new FreshAnswers(answers, shown, bad, last);
  }

  private static Heard answer(
      Server server, Hash capsule, Statement.@Nullable Succession closing, ReaderOptions options) {
    try (CapsuleReader reader = server.openReader(capsule, List.of(), options)) {
      if (closing != null) {
        reader.learn(closing);
      }
      Freshness answer = reader.heads();
      reader.prove(answer.heads());
      return new Heard(server, answer, reader.statements(true), null);
    } catch (ProofException | RuntimeException e) {
      return new Heard(server, null, List.of(), e);
    } catch (Error e) {
      // Whoever asks would wait for this answer for ever.
      return new Heard(
          server,
          null,
          List.of(),
          new HoldfastException(ErrorCode.INTERNAL, "asking has failed: " + e, e));
    }
  }
}
