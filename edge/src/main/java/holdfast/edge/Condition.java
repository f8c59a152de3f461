package holdfast.edge;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What If-Match and If-None-Match ask for (RFC 9110, section 13.1). */
sealed interface Condition {
  /** Nothing is asked. */
  record None() implements Condition {}

  /**
   * The key has one of these entity tags, or none of them.
   *
   * @param any whether the tag is {@code *}: every value there may be
   * @param wanted whether it must match; otherwise it must not
   */
  record Tags(List<Place> tags, boolean any, boolean wanted) implements Condition {}

  /** Both headers at once. */
  record Both(Tags match, Tags noneMatch) implements Condition {}

  /** The condition that always holds. */
  static Condition none() {
    return new None();
  }

  /**
   * Whether the condition holds.
   *
   * @param exists whether the key has a value
   * @param place where that lies; null when it is not known yet, and so nobody can have named it
   */
  default boolean holds(boolean exists, @Nullable Place place) {
    return switch (this) {
      case None() -> true;
      case Tags(var tags, var any, var wanted) ->
          (exists && (any || (place != null && tags.contains(place)))) == wanted;
      case Both(var match, var noneMatch) ->
          match.holds(exists, place) && noneMatch.holds(exists, place);
    };
  }

  /** Reads the two headers; null stands for one that is not there. */
  static Condition parse(@Nullable String ifMatch, @Nullable String ifNoneMatch) {
    Tags match = ifMatch == null ? null : tags(ifMatch, true);
    Tags noneMatch = ifNoneMatch == null ? null : tags(ifNoneMatch, false);
    if (match == null) {
      return noneMatch == null ? none() : noneMatch;
    }
    return noneMatch == null ? match : new Both(match, noneMatch);
  }

  private static Tags tags(String header, boolean wanted) {
    if (header.strip().equals("*")) {
      return new Tags(List.of(), true, wanted);
    }
    List<Place> tags = new ArrayList<>();
    for (String one : header.split(",", -1)) {
      String tag = one.strip();
      // A weak tag is for caches that compare weakly; ours are all strong.
      boolean weak = tag.startsWith("W/");
      tag = weak ? tag.substring(2) : tag;
      if (tag.length() < 2 || !tag.startsWith("\"") || !tag.endsWith("\"")) {
        throw Problem.invalid("an entity tag stands in quotes: \"RECORD/LEAF\"");
      }
      Place place = Place.parse(tag.substring(1, tag.length() - 1));
      if (place != null && !(weak && wanted)) {
        tags.add(place);
      }
    }
    return new Tags(tags, false, wanted);
  }
}
