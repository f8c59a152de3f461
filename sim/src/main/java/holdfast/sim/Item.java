package holdfast.sim;

import holdfast.base.Hash;
import holdfast.sync.Entry;

/**
 * Something that a server may hold.
 *
 * @param name of the record, or of the owner's statement
 * @param signer index of the writer who signed the record, or what else it is
 */
record Item(Hash name, int signer) {
  private static final int STATEMENT = -2;

  static Item record(Hash name) {
    return new Item(name, Entry.RECORD);
  }

  static Item signature(Hash record, int signer) {
    return new Item(record, signer);
  }

  static Item statement(Hash name) {
    return new Item(name, STATEMENT);
  }

  static Item of(Entry entry) {
    return new Item(entry.record(), entry.signer());
  }
}
