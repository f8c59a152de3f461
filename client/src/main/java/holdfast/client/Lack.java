package holdfast.client;

/** How much a server's answer lacks of what another server may have. */
interface Lack<R> {
  /** How much is lacking: 0 when no server could say more. */
  int of(R result);

  /** Of a record. */
  static int ofRecord(ReadResult result) {
    return switch (result) {
      case ReadResult.Proven proven -> 0;
      case ReadResult.Cached cached -> 0;
      case ReadResult.Erased erased -> 0;
      case ReadResult.Outside outside -> 0;
      case ReadResult.Unproven unproven -> 1;
      case ReadResult.Damaged damaged -> 2;
      case ReadResult.Absent absent -> 3;
    };
  }

  /** Of a leaf. */
  static int ofLeaf(ReadResult.LeafResult result) {
    return switch (result) {
      case ReadResult.LeafResult.Proven proven -> 0;
      case ReadResult.LeafResult.Missing missing ->
          switch (missing.why()) {
            case ERASED, OUTSIDE -> 0;
            case UNPROVEN -> 1;
            case DAMAGED -> 2;
            case ABSENT -> 3;
          };
    };
  }
}
