package holdfast.edge;

import static holdfast.edge.MqttFixture.ANN;
import static holdfast.edge.MqttFixture.BOB;
import static holdfast.edge.MqttFixture.FIVE;
import static holdfast.edge.MqttFixture.THREE;
import static holdfast.edge.MqttWire.publish;
import static holdfast.edge.MqttWire.subscribe;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.device.Operation;
import holdfast.testkit.Patience;
import io.netty.handler.codec.mqtt.MqttConnAckMessage;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttMessageBuilders;
import io.netty.handler.codec.mqtt.MqttMessageType;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttVersion;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** MQTT: logins, rights, and that what is acknowledged is synced, whatever fails below. */
@Timeout(Patience.TEST_SECONDS)
class MqttTest {
  private static final int QUEUE = 8;

  @TempDir Path folder;
  private MqttFixture edge;

  @BeforeEach
  void start() throws Exception {
    edge = new MqttFixture(folder, QUEUE);
  }

  @AfterEach
  void stop() throws Exception {
    edge.log.gate.release();
    edge.close();
  }

  private static MqttProperties property(String key, String value) {
    MqttProperties properties = new MqttProperties();
    properties.add(new MqttProperties.UserProperty(key, value));
    return properties;
  }

  private static int code(MqttConnAckMessage answer) {
    return answer.variableHeader().connectReturnCode().byteValue() & 0xFF;
  }

  // ---- Logins -----------------------------------------------------------------------------------

  private String refused(MqttVersion version, String login) throws IOException {
    try (MqttWire wire = edge.open()) {
      MqttConnAckMessage answer = wire.hello(MqttWire.connect(version, login));
      return String.format("%02x", code(answer))
          + answer.variableHeader().properties().listAll()
          + wire.line();
    }
  }

  /** I6, and the trap of a user-enumeration fast path. */
  @Test
  void i6_withoutARightLoginThereIsNothingAndNoAnswerTellsWhoIsKnown() throws Exception {
    for (String login :
        List.of("", "ann:wrong password", "nobody:wrong password", "ann:", "a:b:c")) {
      assertThat(refused(THREE, login)).as(login).isEqualTo("04[]closed");
      assertThat(refused(FIVE, login)).as(login).isEqualTo("86[]closed");
    }
    long before = edge.passwords.rounds.sum();
    refused(FIVE, "ann:another wrong password");
    long known = edge.passwords.rounds.sum() - before;
    refused(FIVE, "nobody:another wrong password");
    assertThat(edge.passwords.rounds.sum() - before).isEqualTo(2 * known);
    assertThat(known).isPositive();
    assertThat(edge.log.records()).isEqualTo(2);
  }

  @Test
  void whoGuessesIsLockedOut() throws Exception {
    String answer = "86[]closed";
    while (answer.startsWith("86")) {
      answer = refused(FIVE, "bob:guess");
    }
    assertThat(answer).isEqualTo("9f[]closed");
    assertThat(refused(THREE, "bob:guess")).isEqualTo("03[]closed");
  }

  /** A login that takes long holds up nobody: it is not checked on an event loop. */
  @Test
  void aLoginThatTakesLongHoldsUpNobody() throws Exception {
    try (MqttWire slow = edge.open();
        MqttWire ann = edge.client(THREE, ANN, "one")) {
      // What comes before the login is decided has to wait for it, and is not lost.
      slow.send(
          MqttWire.connect(THREE, "slow:slow password").build(), publish("kv/home/s", "1", 1, 1));
      ann.send(publish("kv/home/a", "1", 1, 7));
      assertThat(ann.line()).isEqualTo("puback 7 00");
      edge.user("slow", "slow password", new EdgeLeaf.Grant("home", Right.WRITE));
      edge.slow.countDown();
      assertThat(slow.line()).isEqualTo("connack");
      assertThat(slow.line()).isEqualTo("puback 1 00");
    }
  }

  @Test
  void aClientOfMqtt5IsToldWhatItMayDo() throws Exception {
    try (MqttWire wire = edge.open()) {
      MqttConnAckMessage answer =
          wire.hello(MqttWire.connect(FIVE, ANN).cleanSession(false).clientId("stays"));
      assertThat(answer.variableHeader().isSessionPresent()).isFalse();
      MqttProperties properties = answer.variableHeader().properties();
      assertThat(number(properties, MqttProperties.MAXIMUM_QOS)).isEqualTo(1);
      assertThat(number(properties, MqttProperties.RECEIVE_MAXIMUM))
          .isEqualTo(MqttSession.RECEIVE_MAXIMUM);
      assertThat(number(properties, MqttProperties.SESSION_EXPIRY_INTERVAL)).isZero();
    }
  }

  private static int number(MqttProperties properties, int id) {
    return ((MqttProperties.IntegerProperty) properties.getProperty(id)).value();
  }

  @Test
  void whoComesAgainTakesOver() throws Exception {
    try (MqttWire first = edge.client(FIVE, ANN, "same");
        MqttWire other = edge.client(FIVE, BOB, "same");
        MqttWire second = edge.client(FIVE, ANN, "same")) {
      assertThat(first.line()).isEqualTo("disconnect 8e");
      second.send(publish("kv/home/a", "1", 1, 1));
      assertThat(second.line()).isEqualTo("puback 1 00");
      // Another user's client of that name is another client.
      other.send(MqttWire.bare(MqttMessageType.PINGREQ));
      assertThat(other.line()).isEqualTo("pingresp");
    }
  }

  // ---- Publishing -------------------------------------------------------------------------------

  /** Trap: acknowledging before fsync. */
  @ParameterizedTest
  @EnumSource(names = {"MQTT_3_1_1", "MQTT_5"})
  void aMessageIsAcknowledgedWhenItIsSyncedAndNotBefore(MqttVersion version) throws Exception {
    try (MqttWire ann = edge.client(version, ANN, "one")) {
      edge.log.gate.acquire();
      ann.send(publish("kv/home/a", "1", 1, 9), MqttWire.bare(MqttMessageType.PINGREQ));
      // The ping came later and is answered: the message has been taken, and is held below.
      assertThat(ann.line()).isEqualTo("pingresp");
      while (!edge.log.gate.hasQueuedThreads()) {
        Thread.onSpinWait();
      }
      assertThat(edge.edge.mqtt().acknowledged.sum()).isZero();
      assertThat(edge.value("a")).isEqualTo("none");
      edge.log.gate.release();
      assertThat(ann.line()).isEqualTo("puback 9 00");
      assertThat(edge.value("a")).isEqualTo("\"1\"");
    }
  }

  /** I2: missing and empty are two things. */
  @Test
  void i2_valuesTypesAndDeletions() throws Exception {
    try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
      MqttProperties typed = new MqttProperties();
      typed.add(new MqttProperties.StringProperty(MqttProperties.CONTENT_TYPE, "text/plain"));
      ann.send(
          publish("kv/home/a/b/ü", "21".getBytes(UTF_8), 1, 1, typed),
          publish("kv/home/empty", "", 1, 2),
          publish("kv/home/gone", "1", 1, 3),
          publish("kv/home/gone", new byte[0], 1, 4, property("op", "delete")),
          publish("kv/home/gone", new byte[0], 1, 5, property("op", "undo")));
      for (int i = 1; i <= 4; i++) {
        assertThat(ann.line()).isEqualTo("puback " + i + " 00");
      }
      assertThat(ann.line()).isEqualTo("puback 5 83");
      assertThat(edge.value("a/b/ü")).isEqualTo("\"21\"");
      assertThat(edge.view.get("home", "a/b/ü").contentType()).isEqualTo("text/plain");
      assertThat(edge.value("empty")).isEqualTo("\"\"");
      assertThat(edge.view.get("home", "empty").contentType()).isEqualTo(Operation.DEFAULT_TYPE);
      assertThat(edge.value("gone")).isEqualTo("none");
    }
  }

  @Test
  void whatIsPublishedInOneGoIsKeptInOrderAndSharesRecords() throws Exception {
    int many = 3 * MqttSession.RECEIVE_MAXIMUM;
    try (MqttWire ann = edge.client(THREE, ANN, "one")) {
      edge.log.gate.acquire();
      MqttMessage[] messages = new MqttMessage[many];
      for (int i = 0; i < many; i++) {
        messages[i] = publish("kv/home/k" + i % 3, "v" + i, i % 5 == 0 ? 0 : 1, i + 1);
      }
      ann.send(messages);
      // The flusher holds few; what does not fit is not read, and none of it is dropped.
      while (edge.edge.mqtt().pauses.sum() == 0) {
        Thread.onSpinWait();
      }
      edge.log.gate.release();
      for (int i = 0; i < many; i++) {
        if (i % 5 != 0) {
          assertThat(ann.line()).isEqualTo("puback " + (i + 1) + " 00");
        }
      }
      ann.send(MqttWire.bare(MqttMessageType.PINGREQ));
      assertThat(ann.line()).isEqualTo("pingresp");
    }
    assertThat(edge.versions("k0") + edge.versions("k1") + edge.versions("k2")).isEqualTo(many);
    assertThat(edge.value("k" + (many - 1) % 3)).isEqualTo("\"v" + (many - 1) + "\"");
    assertThat(edge.edge.mqtt().dropped.sum()).isZero();
    assertThat(edge.log.records()).isLessThan(many);
  }

  /** A client that says all it has to say and goes: what it said first is kept. */
  @Test
  void whatCameBeforeTheGoodbyeIsKept() throws Exception {
    edge.log.gate.acquire();
    try (MqttWire ann = edge.client(THREE, ANN, "one")) {
      MqttMessage[] messages = new MqttMessage[101];
      for (int i = 0; i < 100; i++) {
        messages[i] = publish("kv/home/k" + i, "v", 0, 0);
      }
      messages[100] = MqttWire.bare(MqttMessageType.DISCONNECT);
      ann.send(messages);
      ann.finish();
      while (edge.edge.mqtt().pauses.sum() == 0) {
        Thread.onSpinWait();
      }
      edge.log.gate.release();
      assertThat(ann.line()).isEqualTo("closed");
    }
    edge.user("last", "of the queue");
    assertThat(edge.value("k99")).isEqualTo("\"v\"");
    assertThat(edge.view.space("home").keys()).isEqualTo(100);
  }

  /** While a client is not read from, it is not taken for dead. */
  @Test
  void aClientThatIsHeldUpIsNotTakenForDead() throws Exception {
    edge.log.gate.acquire();
    try (MqttWire ann = edge.open()) {
      ann.hello(MqttWire.connect(THREE, ANN).keepAlive(2));
      // One queue may be in the flush that waits, and one behind it: only a third holds it up.
      for (int i = 1; i <= 3 * QUEUE; i++) {
        ann.send(publish("kv/home/k" + i, "v", 1, i));
      }
      assertThat(ann.silentFor(4000)).isTrue();
      edge.log.gate.release();
      for (int i = 1; i <= 3 * QUEUE; i++) {
        assertThat(ann.line()).isEqualTo("puback " + i + " 00");
      }
      // But one that is silent itself is.
      assertThat(ann.line()).isEqualTo("closed");
    }
  }

  /** What was durable and not answered may be put twice: that is what "at least once" means. */
  @ParameterizedTest
  @EnumSource(names = {"MQTT_3_1_1", "MQTT_5"})
  void whatIsDurableAndNotAnsweredIsThereAndComesAgain(MqttVersion version) throws Exception {
    edge.log.next(FaultyLog.Fault.LOST_BUT_DONE);
    try (MqttWire ann = edge.client(version, ANN, "one")) {
      ann.send(publish("kv/home/a", "1", 1, 1));
      assertThat(ann.line()).isEqualTo(version == FIVE ? "disconnect 83" : "closed");
    }
    try (MqttWire ann = edge.client(version, ANN, "one")) {
      ann.send(publish("kv/home/a", "1", 1, 1));
      assertThat(ann.line()).isEqualTo("puback 1 00");
    }
    assertThat(edge.versions("a")).isEqualTo(2);
    assertThat(edge.edge.mqtt().refused.sum()).isEqualTo(1);
    assertThat(edge.edge.mqtt().acknowledged.sum()).isEqualTo(1);
  }

  @Test
  void whatIsLostIsNotAcknowledgedAndIsCounted() throws Exception {
    edge.log.next(FaultyLog.Fault.LOST_AND_NOT_DONE, FaultyLog.Fault.DISK_FULL);
    try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
      ann.send(publish("kv/home/a", "1", 0, 0), MqttWire.bare(MqttMessageType.PINGREQ));
      assertThat(ann.line()).isEqualTo("pingresp");
      while (edge.edge.mqtt().dropped.sum() == 0) {
        Thread.onSpinWait();
      }
      ann.send(publish("kv/home/a", "2", 1, 2));
      assertThat(ann.line()).isEqualTo("disconnect 97");
    }
    assertThat(edge.value("a")).isEqualTo("none");
  }

  @Test
  void aQuotaThatIsUsedUpIsSaid() throws Exception {
    edge.administer(new EdgeLeaf.SpaceLimits(0, "", "home", 5, 0));
    try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
      ann.send(publish("kv/home/a", "1", 1, 1), publish("kv/home/b", "12345", 1, 2));
      assertThat(ann.line()).isEqualTo("puback 1 00");
      assertThat(ann.line()).isEqualTo("puback 2 97");
    }
  }

  /** I28. */
  @Test
  void i28_withoutTheRightToWriteNothingIsWritten() throws Exception {
    try (MqttWire bob = edge.client(FIVE, BOB, "five")) {
      bob.send(publish("kv/home/a", "1", 1, 1));
      assertThat(bob.line()).isEqualTo("puback 1 87");
      bob.send(publish("kv/home/a", "1", 0, 0));
      assertThat(bob.line()).isEqualTo("disconnect 87");
    }
    try (MqttWire bob = edge.client(THREE, BOB, "three")) {
      bob.send(publish("kv/home/a", "1", 1, 1));
      assertThat(bob.line()).isEqualTo("closed");
    }
    try (MqttWire ann = edge.client(FIVE, ANN, "ann")) {
      ann.send(publish("kv/garden/a", "1", 1, 1));
      assertThat(ann.line()).isEqualTo("puback 1 87");
      // Rights and passwords hold from the next message on.
      edge.user("ann", "another password", new EdgeLeaf.Grant("home", Right.WRITE));
      ann.send(publish("kv/home/a", "1", 1, 2));
      assertThat(ann.line()).isEqualTo("puback 2 87");
    }
    assertThat(edge.value("a")).isEqualTo("none");
    assertThat(edge.edge.mqtt().refused.sum()).isEqualTo(4);
    assertThat(edge.edge.mqtt().dropped.sum()).isEqualTo(1);
  }

  @Test
  void otherTopicsAndHigherQualitiesAreRefused() throws Exception {
    try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
      ann.send(publish("elsewhere", "1", 1, 1), publish("kv/home/", "1", 1, 2));
      assertThat(ann.line()).isEqualTo("puback 1 90");
      assertThat(ann.line()).isEqualTo("puback 2 90");
      ann.send(publish("kv/home/a", "1", 2, 3));
      assertThat(ann.line()).isEqualTo("disconnect 9b");
    }
    try (MqttWire ann = edge.client(THREE, ANN, "one")) {
      ann.send(publish("kv/home/a", "1", 2, 3));
      assertThat(ann.line()).isEqualTo("closed");
    }
    try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
      ann.send(
          publish("kv/home/large", new byte[(1 << 20) + 1], 1, 1, MqttProperties.NO_PROPERTIES));
      assertThat(ann.line()).isEqualTo("puback 1 97");
      ann.send(publish("kv/home/large", new byte[1 << 20], 1, 2, MqttProperties.NO_PROPERTIES));
      assertThat(ann.line()).isEqualTo("puback 2 00");
      // The beginning of a packet that would have 2 MiB and a little.
      ann.raw(new byte[] {0x32, (byte) 0x81, (byte) 0x80, (byte) 0x80, 1, 0, 9, 'k', 'v'});
      assertThat(ann.line()).isEqualTo("disconnect 95");
    }
  }

  // ---- Subscriptions ----------------------------------------------------------------------------

  @Test
  void aSubscriptionBringsTheValuesThereAreAndThenEachChange() throws Exception {
    try (MqttWire ann = edge.client(FIVE, ANN, "ann");
        MqttWire bob = edge.client(FIVE, BOB, "bob")) {
      ann.send(publish("kv/home/a", "1", 1, 1), publish("kv/home/b/c", "2", 1, 2));
      ann.next();
      ann.next();
      bob.send(subscribe(5, 2, "kv/home/#"));
      assertThat(bob.line()).isEqualTo("suback [1]");
      assertThat(bob.line()).isEqualTo("publish retained kv/home/a 1");
      assertThat(bob.line()).isEqualTo("publish retained kv/home/b/c 2");
      // All of one flush: each is told, though the view keeps the last alone.
      edge.log.gate.acquire();
      ann.send(publish("kv/home/a", "v0", 1, 1));
      while (!edge.log.gate.hasQueuedThreads()) {
        Thread.onSpinWait();
      }
      for (int i = 1; i < QUEUE; i++) {
        ann.send(publish("kv/home/a", "v" + i, 1, i + 1));
      }
      edge.log.gate.release();
      for (int i = 0; i < QUEUE; i++) {
        assertThat(bob.line()).isEqualTo("publish kv/home/a v" + i);
        ann.next();
      }
      ann.send(publish("kv/home/a", new byte[0], 1, 9, property("op", "delete")));
      ann.next();
      MqttPublishMessage gone = (MqttPublishMessage) bob.next();
      assertThat(gone.payload().readableBytes()).isZero();
      assertThat(gone.variableHeader().properties().getProperties(MqttProperties.USER_PROPERTY))
          .hasSize(1)
          .allMatch(one -> one.toString().contains("op"));
    }
  }

  @Test
  void filtersQualitiesAndUnsubscribing() throws Exception {
    try (MqttWire ann = edge.client(THREE, ANN, "ann")) {
      ann.send(subscribe(1, 0, "kv/home/+", "kv/home/x/y"));
      assertThat(ann.line()).isEqualTo("suback [0, 0]");
      ann.send(
          publish("kv/home/a/b", "1", 0, 0),
          publish("kv/home/x/y", "2", 0, 0),
          publish("kv/home/a", "3", 0, 0));
      assertThat(List.of(ann.line(), ann.line()))
          .containsExactlyInAnyOrder("publish kv/home/x/y 2", "publish kv/home/a 3");
      ann.send(MqttMessageBuilders.unsubscribe().messageId(2).addTopicFilter("kv/home/+").build());
      assertThat(ann.line()).isEqualTo("unsuback 2");
      ann.send(publish("kv/home/b", "4", 0, 0), publish("kv/home/x/y", "5", 0, 0));
      assertThat(ann.line()).isEqualTo("publish kv/home/x/y 5");
      assertThat(edge.edge.mqtt().subscriptions.get()).isEqualTo(1);
    }
  }

  @Test
  void aSubscriptionNeedsTheRightToReadAndEndsWithIt() throws Exception {
    edge.user("eve", "eavesdropper", new EdgeLeaf.Grant("home", Right.READ));
    try (MqttWire eve = edge.client(FIVE, "eve:eavesdropper", "eve");
        MqttWire three = edge.client(THREE, "eve:eavesdropper", "three");
        MqttWire ann = edge.client(THREE, ANN, "ann")) {
      eve.send(subscribe(1, 1, "kv/garden/#", "#", "$share/group/kv/home/#", "kv/home/#"));
      assertThat(eve.line()).isEqualTo("suback [135, 143, 158, 1]");
      three.send(subscribe(1, 1, "kv/garden/#", "#", "kv/home/#"));
      assertThat(three.line()).isEqualTo("suback [128, 128, 1]");
      edge.user("eve", "eavesdropper");
      ann.send(publish("kv/home/secret", "1", 1, 1));
      assertThat(ann.line()).isEqualTo("puback 1 00");
      assertThat(eve.line()).isEqualTo("disconnect 87");
      assertThat(three.line()).isEqualTo("closed");
    }
  }

  @Test
  void aSubscriberThatDoesNotKeepUpIsDisconnectedAndHoldsUpNobody() throws Exception {
    try (MqttWire ann = edge.client(FIVE, ANN, "ann");
        MqttWire slow = edge.client(FIVE, BOB, "slow");
        MqttWire good = edge.client(FIVE, BOB, "good")) {
      slow.send(subscribe(1, 1, "kv/home/#"));
      good.send(subscribe(1, 1, "kv/home/#"));
      assertThat(slow.line()).isEqualTo("suback [1]");
      assertThat(good.line()).isEqualTo("suback [1]");
      for (int i = 1; i <= 200; i++) {
        ann.send(publish("kv/home/k", "v" + i, 1, i));
        assertThat(ann.line()).isEqualTo("puback " + i + " 00");
        // The first may be there before what is there is looked up, and comes as retained then.
        assertThat(good.line().replace("publish retained", "publish"))
            .isEqualTo("publish kv/home/k v" + i);
      }
      // It never acknowledges what it is sent.
      List<MqttMessage> sent = new ArrayList<>();
      MqttMessage last = slow.next();
      while (last.fixedHeader().messageType() == MqttMessageType.PUBLISH) {
        sent.add(last);
        last = slow.next();
      }
      assertThat(sent).hasSize(128);
      assertThat(last.fixedHeader().messageType()).isEqualTo(MqttMessageType.DISCONNECT);
      assertThat(slow.nextOrEnd()).isNull();
    }
    assertThat(edge.edge.mqtt().slow.sum()).isEqualTo(1);
  }

  // ---- Wills ------------------------------------------------------------------------------------

  private static MqttMessageBuilders.ConnectBuilder willing(String login, String topic) {
    return MqttWire.connect(FIVE, login)
        .clientId("willing")
        .willFlag(true)
        .willQoS(MqttQoS.AT_LEAST_ONCE)
        .willTopic(topic)
        .willMessage("gone".getBytes(UTF_8));
  }

  @Test
  void aWillIsPutWhenAClientIsLostAndNotWhenItSaysGoodbye() throws Exception {
    try (MqttWire ann = edge.open()) {
      ann.hello(willing(ANN, "kv/home/state"));
      ann.send(MqttWire.bare(MqttMessageType.DISCONNECT));
      assertThat(ann.line()).isEqualTo("closed");
    }
    assertThat(edge.value("state")).isEqualTo("none");
    try (MqttWire ann = edge.open()) {
      ann.hello(willing(ANN, "kv/home/state"));
      ann.cut();
    }
    while (edge.edge.mqtt().wills.sum() == 0) {
      Thread.onSpinWait();
    }
    assertThat(edge.value("state")).isEqualTo("\"gone\"");
    assertThat(edge.versions("state")).isEqualTo(1);
  }

  /** What a client that comes back says is newer than the will of its lost connection. */
  @Test
  void theWillOfAConnectionThatIsTakenOverComesFirst() throws Exception {
    try (MqttWire first = edge.open();
        MqttWire second = edge.open()) {
      first.hello(willing(ANN, "kv/home/state"));
      second.send(willing(ANN, "kv/home/state").build(), publish("kv/home/state", "here", 1, 1));
      assertThat(second.line()).isEqualTo("connack");
      assertThat(second.line()).isEqualTo("puback 1 00");
      assertThat(edge.value("state")).isEqualTo("\"here\"");
      assertThat(edge.versions("state")).isEqualTo(2);
    }
  }

  @Test
  void aWillThatCouldNotBePutIsRefused() throws Exception {
    try (MqttWire bob = edge.open()) {
      assertThat(code(bob.hello(willing(BOB, "kv/home/state")))).isEqualTo(0x87);
    }
    try (MqttWire ann = edge.open()) {
      assertThat(code(ann.hello(willing(ANN, "state")))).isEqualTo(0x90);
    }
  }

  // ---- Hostile clients --------------------------------------------------------------------------

  /** I8: nothing goes in the clear. */
  @Test
  void i8_garbageAndPlaintextAreHungUpOn() throws Exception {
    holdfast.testkit.Gen gen = new holdfast.testkit.Gen(Long.getLong("holdfast.fuzzSeed", 5));
    byte[] plain = {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 0};
    for (int i = 0; i < 20; i++) {
      byte[] bytes = i == 0 ? plain : gen.bytesUpTo(500);
      try (Socket socket =
          new Socket(InetAddress.getLoopbackAddress(), edge.port.endpoint().port())) {
        socket.getOutputStream().write(bytes);
        socket.shutdownOutput();
        // An alert of TLS at most: 0x15, and never CONNACK, 0x20.
        assertThat(socket.getInputStream().read()).isIn(-1, 0x15);
      } catch (IOException hungUp) {
        assertThat(hungUp).isNotNull();
      }
      try (MqttWire wire = edge.open()) {
        wire.raw(concat(new byte[] {(byte) 0xF7}, bytes));
        assertThat(wire.line()).isEqualTo("closed");
      }
      try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
        ann.raw(new byte[] {(byte) 0x37, 2, 0, 0});
        assertThat(ann.line()).isIn("disconnect 81", "closed");
      }
    }
    try (MqttWire first = edge.open()) {
      first.send(publish("kv/home/a", "1", 0, 0));
      assertThat(first.line()).isEqualTo("closed");
    }
    try (MqttWire large = edge.open()) {
      large.send(
          MqttWire.connect(FIVE, ANN)
              .willFlag(true)
              .willTopic("kv/home/a")
              .willMessage(new byte[60_000])
              .build());
      assertThat(large.line()).isEqualTo("connack");
    }
    try (MqttWire endless = edge.open()) {
      // A CONNECT of nearly 1 MiB, with the longest strings there are.
      byte[] begin = {0x10, -1, -1, 0x3F, 0, 4, 'M', 'Q', 'T', 'T', 4, (byte) 0xC2, 0, 0, -1, -1};
      byte[] rest = new byte[MqttSockets.MOST_CONNECT_BYTES];
      java.util.Arrays.fill(rest, (byte) -1);
      endless.raw(concat(begin, rest));
      assertThat(endless.line()).isEqualTo("closed");
    } catch (IOException hungUp) {
      assertThat(hungUp).isNotNull();
    }
    try (MqttWire ann = edge.client(FIVE, ANN, "one")) {
      ann.send(publish("kv/home/alive", "yes", 1, 1));
      assertThat(ann.line()).isEqualTo("puback 1 00");
    }
  }

  private static byte[] concat(byte[] first, byte[] second) {
    byte[] both = java.util.Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }
}
