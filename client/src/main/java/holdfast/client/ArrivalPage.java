package holdfast.client;

import static java.util.stream.Collectors.joining;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.wire.Page;
import java.util.ArrayList;
import java.util.List;

/**
 * A page of records in the order of their arrival at the server.
 *
 * @param damaged arrival numbers of records that belong here and that the server holds damaged
 */
public record ArrivalPage(
    List<Record> records, List<Boolean> proven, long next, boolean end, List<Long> damaged) {
  /** This page, if nothing of it is damaged. */
  ArrivalPage whole() {
    if (!damaged.isEmpty()) {
      throw damage(damaged);
    }
    return this;
  }

  /** Says which records a server holds damaged. */
  static HoldfastException damage(List<Long> arrivals) {
    return new HoldfastException(
        ErrorCode.DAMAGED,
        "the server holds damaged, and does not serve, "
            + (arrivals.size() == 1 ? "record number " : "records number ")
            + arrivals.stream().limit(8).map(String::valueOf).collect(joining(", "))
            + (arrivals.size() > 8 ? " and " + (arrivals.size() - 8) + " more" : ""));
  }

  static ArrivalPage of(Hash capsule, Page page) throws ProofException {
    List<Record> records =
        Record.readAll(page.getRecords().toByteArray(), Limits.RECORDS_PER_BATCH);
    byte[] flags = page.getProven().toByteArray();
    if (flags.length != records.size()) {
      throw new ProofException(Violation.MALFORMED, "a page of records is malformed");
    }
    List<Boolean> proven = new ArrayList<>();
    for (int i = 0; i < flags.length; i++) {
      Record record = records.get(i);
      record.expect(capsule, record.name());
      proven.add(flags[i] == 1);
    }
    return new ArrivalPage(
        records, proven, page.getNext(), page.getEnd(), List.copyOf(page.getDamagedList()));
  }
}
