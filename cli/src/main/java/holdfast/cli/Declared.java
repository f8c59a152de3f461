package holdfast.cli;

import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.client.Declaration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Says which servers have taken what an owner stated; one of them is enough. */
final class Declared {
  private final Declaration told;
  private final Receipt first;

  private Declared(Declaration told, Receipt first) {
    this.told = told;
    this.first = first;
  }

  /** Tells all servers that keep the capsule; a failure when none of them takes it. */
  static Declared by(Source source, ServerCommand.Target target, List<? extends Statement> all)
      throws ProofException {
    Declaration told = Declaration.tell(source.servers(target), all);
    return new Declared(told, told.first());
  }

  /** The acknowledgement of the first server that gave one. */
  Receipt first() {
    return first;
  }

  /** Adds {@code acknowledged} and {@code servers}: server, acknowledged, reason. */
  Json add(Json object) {
    List<Json> servers = new ArrayList<>();
    for (Declaration.Told one : told.told()) {
      Receipt receipt = one.receipt();
      servers.add(
          Json.object()
              .put("server", one.server())
              .put("identity", receipt == null ? null : receipt.server())
              .put("acknowledged", receipt != null)
              .put("reason", reason(one)));
    }
    return object.put("acknowledged", told.acknowledged()).put("servers", servers);
  }

  private static @Nullable String reason(Declaration.Told one) {
    Exception failure = one.failure();
    return failure == null ? null : Failures.account(failure).message();
  }

  /** In words: one line for one server, and a line more for each server of several. */
  String text() {
    int all = told.told().size();
    if (all == 1) {
      return "The server has signed for it.";
    }
    StringBuilder text =
        new StringBuilder(told.acknowledged() + " of " + all + " servers have signed for it");
    if (told.acknowledged() < all) {
      text.append("; they bring it to the others");
    }
    text.append('.');
    for (Declaration.Told one : told.told()) {
      String reason = reason(one);
      text.append("\n  ")
          .append(one.server())
          .append(reason == null ? ", acknowledged" : ", NOT acknowledged: " + reason);
    }
    return text.toString();
  }
}
