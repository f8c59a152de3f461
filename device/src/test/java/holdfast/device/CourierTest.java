package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Days of bad network in virtual time: from a seed, without a thread, socket or pause. */
class CourierTest {
  private static final QueueOptions OPTIONS =
      QueueOptions.DEFAULTS.withSyncing(Syncing.NONE).withOverflow(Overflow.DROP_OLDEST);

  @TempDir Path folder;

  /** What goes wrong with a request, at every point that there is. */
  enum Fault {
    NONE,
    /** No connection. */
    UNREACHABLE,
    /** The edge never saw all of the batch. */
    CUT_BEFORE,
    /** The edge took the batch, and the answer was lost. */
    CUT_AFTER,
    /** The edge saw the batch twice, the answer to the second is what arrives. */
    TWICE,
    /** Something in between answers in words of its own. */
    PROXY,
    BUSY,
    DENIED,
    /** Something in between refuses compressed bodies. */
    NO_GZIP
  }

  /** An edge at the end of a network that a script disturbs. */
  private static final class ScriptedLink implements Link {
    final ReferenceEdge edge = new ReferenceEdge();
    Fault next = Fault.NONE;
    int requests;

    @Override
    public Reply request(String method, String path, String type, byte[] body) throws IOException {
      requests++;
      switch (next) {
        case UNREACHABLE, CUT_BEFORE -> throw new IOException("connection refused or cut");
        case PROXY -> {
          return json(502, "<html>bad gateway");
        }
        case BUSY -> {
          return new Reply(503, Map.of("retry-after", "90"), Octets.EMPTY);
        }
        case DENIED -> {
          return json(401, "{}");
        }
        case CUT_AFTER -> {
          answer(method, path, type, body);
          throw new IOException("connection reset");
        }
        case TWICE -> answer(method, path, type, body);
        case NO_GZIP -> {
          if (type.endsWith("+gzip")) {
            return json(400, "");
          }
        }
        case NONE -> {}
      }
      return answer(method, path, type, body);
    }

    private Reply answer(String method, String path, String type, byte[] body) throws IOException {
      assertThat(path).matches("/v1/devices/pump-1/batches(\\?incarnation=[0-9a-f]{32})?");
      assertThat(path.contains("?")).isEqualTo(method.equals("GET"));
      if (method.equals("GET")) {
        StringBuilder list = new StringBuilder();
        edge.lasts()
            .forEach((incarnation, last) ->
                list.append(list.isEmpty() ? "" : ",")
                    .append("{\"incarnation\":\"" + incarnation.toHex() + "\",\"last\":")
                    .append(last)
                    .append('}'));
        return json(200, "{\"incarnations\":[" + list + "]}");
      }
      byte[] batch = body;
      if (type.endsWith("+gzip")) {
        batch = new GZIPInputStream(new ByteArrayInputStream(body)).readAllBytes();
      }
      return switch (edge.take(batch, Fixture.KEY.publicKey())) {
        case ReferenceEdge.Answer.Taken t ->
            json(200, "{\"last\":" + t.last() + ",\"duplicate\":" + t.duplicate() + "}");
        case ReferenceEdge.Answer.Conflict c ->
            json(409, "{\"detail\":\"conflict\",\"last\":" + c.last() + "}");
        case ReferenceEdge.Answer.Rejected r ->
            json(403, "{\"detail\":\"not there\",\"rejected\":" + r.sequences() + "}");
        case ReferenceEdge.Answer.Refused r -> json(400, "{\"detail\":\"" + r.problem() + "\"}");
      };
    }

    private static Reply json(int status, String text) {
      return new Reply(status, Map.of(), Octets.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public void close() {}
  }

  private final ScriptedLink link = new ScriptedLink();
  private final AtomicLong wall = new AtomicLong(1_700_000_000_000L);

  private DeviceQueue queue(Path path, QueueOptions options) throws IOException {
    return new DeviceQueue(new QueueFolder(path), Fixture.KEY, options, wall::get);
  }

  private Courier courier(DeviceQueue queue, long seed) {
    return courier(queue, link, seed);
  }

  private static Courier courier(DeviceQueue queue, Link link, long seed) {
    Pace pace = new Pace(200, new SplittableRandom(seed));
    return new Courier(queue, link, pace, "pump-1", Rejection.SKIP, batch -> {});
  }

  private static void put(DeviceQueue queue, String key, String value) throws Exception {
    put(queue, "home", key, value);
  }

  private static void put(DeviceQueue queue, String space, String key, String value)
      throws Exception {
    queue.put(space, key, "", Octets.wrap(value.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void i15OperationsLeaveInBatches() throws Exception {
    try (DeviceQueue queue = queue(folder, OPTIONS.withBatches(10, 1 << 20))) {
      Courier courier = courier(queue, 1);
      for (int i = 0; i < 9; i++) {
        put(queue, "k" + i, "v");
      }
      assertThat(courier.step(0)).isEqualTo(200);
      put(queue, "k9", "v");
      assertThat(courier.step(1)).isZero();
      assertThat(courier.operationsSent()).isEqualTo(10);
      assertThat(link.requests).isEqualTo(1);
      assertThat(courier.step(2)).isEqualTo(Pace.NEVER);
      put(queue, "late", "v");
      assertThat(courier.step(3)).isEqualTo(200);
      assertThat(courier.step(203)).isZero();
      assertThat(link.requests).isEqualTo(2);
    }
  }

  /** A batch that is refused compressed is sent as it is, and so are those that follow. */
  @Test
  void whoeverRefusesCompressionGetsPlainBatches() throws Exception {
    try (DeviceQueue queue = queue(folder, OPTIONS)) {
      Courier courier = courier(queue, 1);
      link.next = Fault.NO_GZIP;
      put(queue, "a", "x".repeat(2000));
      courier.hurry();
      assertThat(courier.step(0)).isZero();
      assertThat(courier.operationsSent()).isEqualTo(1);
      assertThat(link.requests).isEqualTo(2);
      put(queue, "b", "x".repeat(2000));
      courier.hurry();
      assertThat(courier.step(1)).isZero();
      assertThat(link.requests).isEqualTo(3);
      assertThat(link.edge.values).containsOnlyKeys("home/a", "home/b");
    }
  }

  /**
   * I12, I26: any faults, restarts, rights that come and go, and a clock that is wrong by years:
   * complete, once, in order.
   */
  @Test
  void i12NothingIsLostOrAppliedTwiceWhateverTheNetworkDoes() {
    Property.check(12, this::badNetwork);
  }

  private void badNetwork(Gen gen) throws Exception {
    Path path = Files.createTempDirectory(folder, "bad");
    ScriptedLink fresh = new ScriptedLink();
    QueueOptions options = OPTIONS.withBatches(gen.between(1, 20), 4000);
    Map<String, String> model = new HashMap<>();
    List<Fault> faults = List.of(Fault.values());
    DeviceQueue queue = queue(path, options.withMaxAge(Duration.ofDays(30)));
    Courier courier = courier(queue, fresh, 3);
    long now = 0;
    long accepted = 0;
    try {
      for (int step = 0; step < 250; step++) {
        if (gen.oneIn(3)) {
          String key = "k" + gen.below(20);
          String value = "v" + step;
          put(queue, key, value);
          accepted++;
          model.put("home/" + key, Octets.wrap(value.getBytes(StandardCharsets.UTF_8)).toHex());
        }
        if (gen.oneIn(10)) {
          put(queue, "attic", "k" + gen.below(5), "v" + step);
          accepted++;
        }
        if (gen.oneIn(15) && !fresh.edge.forbidden.remove("attic")) {
          fresh.edge.forbidden.add("attic");
        }
        if (gen.oneIn(20)) {
          wall.set(gen.anyLong() >>> 20);
        }
        if (gen.oneIn(30)) {
          queue.close();
          queue = queue(path, options.withMaxAge(Duration.ofDays(30)));
          courier = courier(queue, fresh, step);
        }
        fresh.next = gen.oneIn(3) ? Fault.NONE : gen.pick(faults);
        long wait = courier.step(now);
        now += wait == Pace.NEVER ? 100 : gen.oneIn(2) ? wait : Math.min(wait, 1000);
      }
      fresh.next = Fault.NONE;
      while (queue.anythingToSend()) {
        long wait = courier.step(now);
        assertThat(wait).isLessThanOrEqualTo(Pace.LONGEST_WISH_MILLIS);
        now += wait;
      }
      fresh.edge.values.keySet().removeIf(name -> name.startsWith("attic/"));
      assertThat(fresh.edge.values).isEqualTo(model);
      assertThat(fresh.edge.gaps).isEmpty();
      assertThat(fresh.edge.last(queue.incarnation())).isEqualTo(accepted);
      assertThat(fresh.edge.applied)
          .extracting(Operation::sequence)
          .isSorted()
          .doesNotHaveDuplicates();
      assertThat(
              fresh.edge.applied.size()
                  + fresh.edge.lost(Reason.COLLAPSED)
                  + fresh.edge.lost(Reason.REJECTED))
          .isEqualTo(accepted);
    } finally {
      queue.close();
    }
  }

  /** I21 for the device: weeks without a network cost attempts, not data. */
  @Test
  void weeksOfflineCostOneAttemptAMinute() throws Exception {
    try (DeviceQueue queue = queue(folder, OPTIONS)) {
      Courier courier = courier(queue, 1);
      put(queue, "a", "1");
      link.next = Fault.UNREACHABLE;
      long now = 0;
      long weeks = Duration.ofDays(21).toMillis();
      while (now < weeks) {
        now += Math.max(1, courier.step(now));
      }
      assertThat(link.requests).isBetween(21 * 24 * 60, 2 * 21 * 24 * 60);
      link.next = Fault.NONE;
      while (queue.anythingToSend()) {
        now += courier.step(now);
      }
      assertThat(now - weeks).isLessThan(60_001);
      assertThat(link.edge.values).containsOnlyKeys("home/a");
    }
  }

  /** Two devices with one queue: a conflict is shown, nothing is lost, and it is tried slowly. */
  @Test
  void aConflictLosesNothingAndShows() throws Exception {
    Path twin = folder.resolve("twin");
    Pace pace = new Pace(200, new SplittableRandom(1));
    try (DeviceQueue queue = queue(folder.resolve("one"), OPTIONS)) {
      put(queue, "a", "1");
    }
    Files.createDirectories(twin);
    Files.copy(folder.resolve("one/queue"), twin.resolve("queue"));
    try (DeviceQueue one = queue(folder.resolve("one"), OPTIONS);
        DeviceQueue other = queue(twin, OPTIONS)) {
      put(one, "b", "1");
      put(other, "c", "1");
      Courier first = courier(one, 1);
      first.hurry();
      assertThat(first.step(0)).isZero();
      Courier second = new Courier(other, link, pace, "pump-1", Rejection.SKIP, batch -> {});
      second.hurry();
      assertThat(second.step(0)).isZero();
      assertThat(pace.state()).isEqualTo(LinkState.CONFLICT);
      assertThat(second.step(1)).isGreaterThan(20_000);
      assertThat(other.status().queued()).isEqualTo(2);
      other.renew();
      second.hurry();
      second.step(100_000);
      assertThat(pace.state()).isEqualTo(LinkState.ONLINE);
      assertThat(link.edge.values).containsOnlyKeys("home/a", "home/b", "home/c");
    }
  }

  /** One change that the edge will never take holds nobody up; it is told, counted and kept. */
  @Test
  void whatIsRejectedForGoodLetsTheRestPass() throws Exception {
    link.edge.forbidden.add("attic");
    try (DeviceQueue queue = queue(folder, OPTIONS)) {
      Courier courier = courier(queue, 1);
      put(queue, "a", "1");
      put(queue, "attic", "b", "2");
      put(queue, "c", "3");
      queue.delete("attic", "d");
      put(queue, "e", "5");
      courier.hurry();
      assertThat(courier.step(0)).isZero();
      assertThat(courier.lastRejection()).contains("403").contains("not there");
      assertThat(queue.status().rejected()).isEqualTo(2);
      assertThat(queue.status().queued()).isEqualTo(3);
      assertThat(courier.step(0)).isZero();
      assertThat(courier.step(0)).isEqualTo(Pace.NEVER);
    }
    assertThat(link.edge.applied).extracting(Operation::key).containsExactly("a", "c", "e");
    assertThat(link.edge.ranges)
        .containsExactly(new Range(Reason.REJECTED, 2, 2), new Range(Reason.REJECTED, 4, 4));
    List<String> kept = Files.readAllLines(new DeviceFolder(folder).rejected());
    assertThat(ChangeLine.parse(kept.getFirst(), "home"))
        .isEqualTo(
            new ChangeLine("attic", "b", java.util.Optional.of(Octets.wrap(new byte[] {'2'})), ""));
    assertThat(ChangeLine.parse(kept.getLast(), "home").value()).isEmpty();
    assertThat(new DeviceFolder(folder).rejectedChanges()).isEqualTo(2);
  }

  /** Who wants that is held up, and nothing is lost. */
  @Test
  void whatIsRejectedForGoodStopsWhoWantsThat() throws Exception {
    link.edge.forbidden.add("attic");
    Pace pace = new Pace(200, new SplittableRandom(1));
    try (DeviceQueue queue = queue(folder, OPTIONS)) {
      put(queue, "attic", "b", "2");
      Courier courier = new Courier(queue, link, pace, "pump-1", Rejection.STOP, batch -> {});
      courier.hurry();
      assertThat(courier.step(0)).isZero();
      assertThat(pace.state()).isEqualTo(LinkState.DENIED);
      assertThat(queue.status().queued()).isEqualTo(1);
      link.edge.forbidden.clear();
      courier.hurry();
      assertThat(courier.step(60_000)).isZero();
      assertThat(link.edge.values).containsOnlyKeys("attic/b");
    }
    assertThat(Files.exists(new DeviceFolder(folder).rejected())).isFalse();
  }

  /** An answer that names what is not in the batch takes nothing from the queue. */
  @Test
  void aRejectionOfOtherNumbersIsARefusalLikeAnyOther() throws Exception {
    for (String body : List.of("{\"rejected\":[2,-1,\"1\",1.5]}", "{\"rejected\":1}")) {
      Link odd =
          new Link() {
            @Override
            public Reply request(String method, String path, String type, byte[] batch) {
              return ScriptedLink.json(403, body);
            }

            @Override
            public void close() {}
          };
      Pace pace = new Pace(200, new SplittableRandom(1));
      Path own = Files.createTempDirectory(folder, "odd");
      try (DeviceQueue queue = queue(own, OPTIONS)) {
        put(queue, "a", "1");
        Courier courier = new Courier(queue, odd, pace, "pump-1", Rejection.SKIP, batch -> {});
        courier.hurry();
        courier.step(0);
        assertThat(pace.state()).isEqualTo(LinkState.DENIED);
        assertThat(queue.status().queued()).isEqualTo(1);
      }
    }
  }

  @Test
  void whatTheEdgeAnswersIsUnderstood() {
    assertThat(refusal(409, "{\"last\":7,\"detail\":\"taken\"}"))
        .isEqualTo(new Outcome.Conflict("the edge answered 409: taken", 7));
    assertThat(refusal(401, "")).isInstanceOf(Outcome.Denied.class);
    assertThat(refusal(403, "no json")).isInstanceOf(Outcome.Denied.class);
    assertThat(refusal(429, "{}")).isEqualTo(new Outcome.Busy("the edge answered 429", 5000));
    assertThat(refusal(500, "{}")).isInstanceOf(Outcome.Busy.class);
    assertThat(refusal(507, "{}")).isInstanceOf(Outcome.Refused.class);
    assertThat(refusal(413, "{\"detail\":1}"))
        .isEqualTo(new Outcome.Refused("the edge answered 413"));
  }

  private static Outcome refusal(int status, String body) {
    return Courier.refusal(
        new Link.Reply(
            status,
            Map.of("retry-after", "5"),
            Octets.wrap(body.getBytes(StandardCharsets.UTF_8))));
  }
}
