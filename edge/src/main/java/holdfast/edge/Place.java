package holdfast.edge;

import holdfast.base.Hash;
import org.jspecify.annotations.Nullable;

/**
 * Where a change lies: the record and the number of the leaf. As entity tag it is {@code
 * "RECORD/LEAF"}.
 */
record Place(Hash record, int leaf) {
  private static final int DIGITS = 2 * Hash.SIZE;

  /** The entity tag, in its quotes. */
  String etag() {
    return "\"" + this + "\"";
  }

  @Override
  public String toString() {
    return record + "/" + leaf;
  }

  /** Reads what stands between the quotes of an entity tag; null when it is none of ours. */
  static @Nullable Place parse(String text) {
    int length = text.length();
    if (length < DIGITS + 2 || length > DIGITS + 9 || text.charAt(DIGITS) != '/') {
      return null;
    }
    try {
      int leaf = Integer.parseInt(text, DIGITS + 1, length, 10);
      Place place = new Place(Hash.parse(text.substring(0, DIGITS)), leaf);
      return place.toString().equals(text) ? place : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }
}
