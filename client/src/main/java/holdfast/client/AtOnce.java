package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;

/** Puts one question to several servers at the same time. */
final class AtOnce {
  private AtOnce() {}

  /**
   * The answers, in the order of those asked, once all have come.
   *
   * @param question throws nothing: a server that fails is an answer too
   * @param doing what is going on, for whoever is interrupted in it
   * @throws HoldfastException UNREACHABLE when the thread is interrupted
   */
  static <T, A> List<A> ask(Collection<T> all, Function<T, A> question, String doing) {
    List<Future<A>> asked = new ArrayList<>();
    List<A> answers = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      all.forEach(one -> asked.add(threads.submit(() -> question.apply(one))));
      for (Future<A> one : asked) {
        answers.add(one.get());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while " + doing, e);
    } catch (ExecutionException e) {
      throw new AssertionError("a question that fails is an answer", e);
    }
    return answers;
  }
}
