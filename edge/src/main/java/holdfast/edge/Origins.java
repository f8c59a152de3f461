package holdfast.edge;

import holdfast.device.Octets;
import holdfast.device.Origin;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the incarnations of a device go on from, by its signed word: so that the end of one, or all
 * of it, cannot be left out unseen once another has begun.
 */
final class Origins {
  private final Map<Octets, Said> said = new LinkedHashMap<>();

  private record Said(Origin origin, boolean counts) {}

  /** Takes what a claim says that begins with 1 and is signed by the device. */
  void say(Octets incarnation, Origin origin, boolean counts) {
    said.putIfAbsent(incarnation, new Said(origin, counts));
  }

  /** How far an incarnation has counted, as one that goes on from it says; 0 if none does. */
  long end(Octets incarnation) {
    long end = 0;
    for (Said one : said.values()) {
      if (one.counts() && one.origin().before().equals(incarnation)) {
        end = Math.max(end, one.origin().last());
      }
    }
    return end;
  }

  /** The incarnations that others go on from. */
  List<Octets> before() {
    return said.values().stream()
        .map(Said::origin)
        .filter(origin -> origin.last() > 0)
        .map(Origin::before)
        .distinct()
        .toList();
  }

  /** What the device could not say, in words. */
  List<String> unknown() {
    List<String> unknown = new ArrayList<>();
    List<String> firsts = new ArrayList<>();
    said.forEach((incarnation, one) -> {
      String queue = "queue " + incarnation.toHex().substring(0, 8);
      switch (one.origin().kind()) {
        case FIRST -> firsts.add(incarnation.toHex().substring(0, 8));
        case CONTINUES -> {}
        case CONTINUES_AT_LEAST ->
            unknown.add(
                queue
                    + " goes on from "
                    + one.origin().before().toHex().substring(0, 8)
                    + ", which had "
                    + one.origin().last()
                    + " at least: the device had lost numbers, and has only the edge's word for the"
                    + " last");
        case UNKNOWN ->
            unknown.add(
                queue
                    + " goes on from one that the device could not read: whether that had counted"
                    + " further, nobody can say");
      }
    });
    if (firsts.size() > 1) {
      unknown.add(
          "queues "
              + String.join(", ", firsts)
              + " each began as the first: the device had lost its folder between them, and whether"
              + " one had counted further, nobody can say");
    }
    return unknown;
  }
}
