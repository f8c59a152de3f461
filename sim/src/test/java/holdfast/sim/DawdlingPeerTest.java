package holdfast.sim;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.sync.Effect;
import holdfast.sync.MemoryReplica;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A peer that says nothing at length: what is well formed and brings the round no nearer to its end
 * is refused, or does not count as an advance.
 */
class DawdlingPeerTest {
  private final Gen gen = new Gen(17);
  private final Dag dag = new Dag(gen, 2);
  private final List<Statement> erasures = new ArrayList<>();
  private MemoryReplica dawdler = new MemoryReplica(dag.metadata());
  private MemoryReplica honest = new MemoryReplica(dag.metadata());

  private long advanced;
  private int stores;

  @BeforeEach
  void fill() {
    dag.grow(60);
    dag.signTips();
    for (int at : List.of(1, 2, 3)) {
      erasures.add(
          Statement.Erasure.sign(
              dag.metadata().name(),
              5_000,
              new Statement.Erased.OfRecord(dag.records().get(at).name()),
              "",
              dag.owner()));
    }
    reset();
  }

  private void reset() {
    dawdler = new MemoryReplica(dag.metadata());
    honest = new MemoryReplica(dag.metadata());
    dawdler.store(dag.records(), dag.signatures());
    dawdler.store(List.of(), erasures.subList(0, 2));
    honest.store(List.of(), erasures.subList(2, 3));
  }

  private Pairing pairing(RoundOptions options) {
    return new Pairing(dawdler, honest, options, List.of(), List.of(), gen.hash(), gen.hash());
  }

  /** How the honest side's round ended when each message of the other is replaced by these. */
  private Effect ending(Function<byte[], List<byte[]>> said) {
    RoundOptions options = new RoundOptions(Strategy.NAIVE, 7, 1 << 20, 4, 1 << 20, 1 << 10);
    Pairing pairing = pairing(options);
    pairing.tampering = said;
    pairing.slowDisks = true;
    pairing.run();
    advanced = pairing.second.round.advanced();
    stores = pairing.second.stores;
    assertThat(pairing.second.ended).hasSize(1);
    return pairing.second.ended.getFirst();
  }

  /** That the honest side calls it a lie when the first of a kind comes after something else. */
  private void expectLie(int kind, Function<byte[], byte[]> before, String complaint) {
    expectLieWith(kind, message -> List.of(before.apply(message), message), complaint);
  }

  private void expectLie(int kind, List<byte[]> before, String complaint) {
    expectLieWith(
        kind, message -> Stream.concat(before.stream(), Stream.of(message)).toList(), complaint);
  }

  private void expectLieWith(int kind, Function<byte[], List<byte[]>> instead, String complaint) {
    boolean[] done = {false};
    Effect end =
        ending(message -> {
          if (done[0] || Wire.kind(message) != kind) {
            return List.of(message);
          }
          done[0] = true;
          return instead.apply(message);
        });
    assertThat(done[0]).as("there was such a message").isTrue();
    assertThat(end).isInstanceOf(Effect.Lied.class);
    assertThat(((Effect.Lied) end).evidence()).hasMessageContaining(complaint);
  }

  @Test
  void withoutTamperingTheRoundEndsWell() {
    assertThat(ending(List::of)).isInstanceOf(Effect.Finished.class);
  }

  @Test
  void anEmptyPageOfNamesThatIsNotTheLastIsRefused() {
    expectLie(Wire.STATEMENT_NAMES, message -> Wire.noNames(), "empty page");
  }

  /** What is counted is bounded, over all rounds of a server. */
  @Test
  void namesThatThePeerTellsCountAsHeldForIt() {
    int many = 5_000;
    Encoder page = new Encoder().u8(Wire.STATEMENT_NAMES).u32(many);
    Stream.generate(gen::hash).limit(many).sorted().forEach(page::hash);
    byte[] names = page.u8(0).toBytes();
    Pairing pairing =
        new Pairing(
            dawdler, honest, RoundOptions.defaults(), List.of(), List.of(), gen.hash(), gen.hash());
    pairing.tampering =
        message -> List.of(Wire.kind(message) == Wire.STATEMENT_NAMES ? names : message);
    pairing.run();
    assertThat(pairing.second.ended).isEmpty();
    assertThat(pairing.second.round.heldBytes()).isGreaterThan(32L * many);
  }

  /** Names are held in memory while they are compared, and nobody has room for ever so many. */
  @Test
  void setsThatAreTooLargeAreNotNamed() {
    honest.store(dag.records().subList(0, 20), dag.signatures());
    byte[] many = new Encoder().u8(Wire.SINCE).u64((1 << 24) + 1).hash(gen.hash()).toBytes();
    Pairing pairing = pairing(RoundOptions.defaults().withStrategy(Strategy.NAIVE));
    pairing.tampering = message -> List.of(Wire.kind(message) == Wire.SINCE ? many : message);
    pairing.run();
    assertThat(pairing.first.ended).as("it is not answered with names").isEmpty();
    assertThat(pairing.second.ended).as("it waits for what Lu's algorithm begins with").isEmpty();
  }

  @Test
  void namesThatAreWaitedForCountAsHeldForThePeer() {
    List<Hash> absent = Stream.generate(gen::hash).limit(Limits.BACKPOINTERS).toList();
    Record record =
        new Sealer(
                dag.metadata().name(),
                0,
                new ContentKey(0, Secret.copyOf(gen.bytes(32))),
                gen.bytes(16))
            .seal(List.of(gen.bytes(9)), 1_000, absent);
    dawdler.store(List.of(record), List.of(dag.signature(record, 0)));
    Pairing pairing = pairing(RoundOptions.defaults()).run();
    RoundTest.expectFinished(pairing.second);
    assertThat(pairing.second.round.heldBytes()).isGreaterThan(32L * Limits.BACKPOINTERS);
  }

  @Test
  void namesOfStatementsThatAreSaidAgainAreRefused() {
    expectLie(
        Wire.STATEMENT_NAMES,
        message -> {
          byte[] more = message.clone();
          more[more.length - 1] = 0;
          return more;
        },
        "does not ascend");
  }

  @Test
  void anEmptyPageOfStatementsThatIsNotTheLastIsRefused() {
    expectLie(
        Wire.STATEMENTS,
        message -> new Encoder().u8(Wire.STATEMENTS).u32(0).u8(0).toBytes(),
        "empty page");
  }

  @Test
  void aStatementThatIsSentTwiceIsRefused() {
    expectLie(
        Wire.STATEMENTS,
        message -> {
          byte[] more = message.clone();
          more[more.length - 1] = 0;
          return more;
        },
        "is here");
  }

  @Test
  void aStatementThatTheReceiverHasNamedIsRefused() {
    expectLie(
        Wire.STATEMENTS,
        message ->
            new Encoder()
                .u8(Wire.STATEMENTS)
                .u32(1)
                .bytes32(erasures.get(2).encode())
                .u8(0)
                .toBytes(),
        "is here");
  }

  @Test
  void anEmptyPushIsRefused() {
    expectLie(Wire.PUSH, message -> Wire.push(0, List.of(), List.of()), "pushed nothing");
  }

  /** It would be heard over and over while this side still stores or sends. */
  @Test
  void whatEndsAStageIsNotSaidTwice() {
    byte[] ready = {Wire.READY};
    expectLie(Wire.STATEMENT_NAMES, List.of(ready, ready), "Ready in the stage STATEMENTS");
    reset();
    byte[] end = {Wire.PUSH_END};
    expectLie(Wire.STATEMENT_NAMES, List.of(end, end), "PushEnd in the stage PUSH");
  }

  @Test
  void whatBeginsAStageIsNotSaidTwice() {
    byte[] since = new Encoder().u8(Wire.SINCE).u64(3).hash(gen.hash()).toBytes();
    expectLie(Wire.STATEMENT_NAMES, List.of(since, since), "Since in the stage SINCE");
  }

  @Test
  void whatCameMeanwhileIsNotToldTwice() {
    byte[] late = new Encoder().u8(Wire.LATE).u8(0).u32(0).toBytes();
    expectLie(Wire.STATEMENT_NAMES, List.of(late, late), "Late in the stage LATE");
  }

  @Test
  void whatIsHereAlreadyIsNoAdvance() {
    ending(List::of);
    long plain = advanced;
    reset();
    assertThat(ending(pushingAgain(40, 1))).isInstanceOf(Effect.Finished.class);
    assertThat(advanced).isEqualTo(plain);
  }

  /** It would be verified and written anew each time. */
  @Test
  void aSignatureThatIsHereIsNotStoredAgain() {
    ending(List::of);
    int plain = stores;
    reset();
    List<byte[]> held = dag.signatures().stream().map(Statement.WriterSignature::encode).toList();
    int[] number = {0};
    Effect end =
        ending(message -> {
          if (Wire.kind(message) == Wire.PUSH) {
            number[0]++;
          }
          return Wire.kind(message) == Wire.PUSH_END
              ? List.of(
                  Wire.push(number[0]++, List.of(), held),
                  Wire.push(number[0]++, List.of(), held),
                  message)
              : List.of(message);
        });
    assertThat(end).isInstanceOf(Effect.Finished.class);
    assertThat(stores).isEqualTo(plain);
  }

  @Test
  void whoPushesForEverWhatIsHereIsLeft() {
    assertThat(ending(pushingAgain(150, 1 << 13)))
        .isInstanceOfSatisfying(
            Effect.GaveUp.class,
            end -> assertThat(end.reason()).contains("nothing of it is of use"));
  }

  /** Before the end of the pushes come others, of a record that was pushed before. */
  private Function<byte[], List<byte[]>> pushingAgain(int times, int copies) {
    int[] number = {0};
    return message -> {
      List<byte[]> said = new ArrayList<>();
      if (Wire.kind(message) == Wire.PUSH) {
        number[0]++;
      } else if (Wire.kind(message) == Wire.PUSH_END) {
        Record record = dag.records().getLast();
        for (int i = 0; i < times; i++) {
          said.add(Wire.push(number[0]++, Collections.nCopies(copies, record), List.of()));
        }
      }
      said.add(message);
      return said;
    };
  }
}
