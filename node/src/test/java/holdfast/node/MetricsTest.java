package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.testkit.Patience;
import holdfast.wire.Declare;
import holdfast.wire.Request;
import holdfast.wire.Status;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the server counts is what its names say. */
@Timeout(Patience.TEST_SECONDS)
class MetricsTest {
  @TempDir Path folder;

  @Test
  void recordsSignaturesAndStatementsAreCountedApart() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder);
        RawClient raw = new RawClient(fixture, fixture.owner)) {
      fixture.create("another");
      Record first = raw.record(0, List.of(), new byte[10]);
      Record second = raw.record(0, List.of(first.name()), new byte[10]);
      raw.expectReceipt(raw.write(List.of(first, second), List.of(raw.sign(second.name()))));
      Statement erasure =
          Statement.Erasure.sign(
              fixture.capsule,
              1L << 40,
              new Statement.Erased.OfRecord(first.name()),
              "test",
              fixture.owner);
      raw.expectReceipt(
          Request.newBuilder()
              .setDeclare(
                  Declare.newBuilder().addStatements(ByteString.copyFrom(erasure.encode()))));
      int port = fixture.node.httpPort();
      assertThat(DamageTest.metric(port, "holdfast_records_written_total")).isEqualTo(2);
      assertThat(DamageTest.metric(port, "holdfast_signatures_total")).isEqualTo(1);
      assertThat(DamageTest.metric(port, "holdfast_statements_total")).isEqualTo(1);
      // Two creations, a batch, a statement.
      assertThat(DamageTest.metric(port, "holdfast_receipts_total")).isEqualTo(4);
      var status = raw.call(Request.newBuilder().setStatus(Status.newBuilder())).getStatus();
      assertThat(status.getCapsules()).isEqualTo(2);
      long bytes = first.header().size() + second.header().size() + second.header().sealedSize();
      String owner = "holdfast_owner_bytes{owner=\"" + fixture.owner.verifyKey() + "\"}";
      assertThat(DamageTest.metric(port, owner)).isEqualTo((double) bytes);
      assertThat(DamageTest.metric(port, "holdfast_owner_bytes_limit")).isZero();
      assertThat(status.getOwners(0).getBytes()).isEqualTo(bytes);
      assertThat(status.getDamaged()).isZero();
    }
  }
}
