package holdfast.edge;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What If-Match and If-None-Match ask for (RFC 9110, section 13.1). */
sealed interface Condition {
  /** An entity tag, between commas or the ends; within its quotes is no quote. */
  Pattern TAG = Pattern.compile("\\s*(W/)?\"([^\"]*)\"\\s*");

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
    Matcher tag = TAG.matcher(header);
    int end = 0;
    while (end < header.length()) {
      // One after the other: a tag may have a comma in it, though none of ours has.
      if (!tag.region(end, header.length()).lookingAt()) {
        throw Problem.invalid("an entity tag stands in quotes: \"RECORD/LEAF\"");
      }
      // A weak tag is for caches that compare weakly; ours are all strong.
      boolean weak = tag.group(1) != null;
      Place place = Place.parse(tag.group(2));
      if (place != null && !(weak && wanted)) {
        tags.add(place);
      }
      end = tag.end();
      if (end < header.length() && header.charAt(end++) != ',') {
        throw Problem.invalid("entity tags are separated by commas");
      }
    }
    if (header.isEmpty() || header.endsWith(",")) {
      throw Problem.invalid("an entity tag stands in quotes: \"RECORD/LEAF\"");
    }
    return new Tags(tags, false, wanted);
  }
}
