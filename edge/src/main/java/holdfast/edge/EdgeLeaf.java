package holdfast.edge;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.device.Claim;
import holdfast.device.MalformedException;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.SignedClaim;
import java.util.ArrayList;
import java.util.List;

/**
 * One leaf of a record that an edge writes: docs/edge-format.md, section 4. A leaf says what has
 * changed, and who said so.
 *
 * <p>There is one encoding of a leaf; {@link Compression} may wrap it.
 */
sealed interface EdgeLeaf {
  /** Most bytes of a name of a user. */
  int MAX_NAME_BYTES = 64;

  /** Most changes that one idempotency key answers for, and most rights of one user. */
  int MAX_ITEMS = 4096;

  /** Most rights of one user. */
  int MAX_RIGHTS = 256;

  /** What stands for every space in the rights of a user. */
  String ALL_SPACES = "*";

  /** Most bytes of a leaf that is not compressed. */
  int MAX_BYTES = (1 << 20) + (1 << 17);

  /**
   * A key was given a value, or lost it.
   *
   * @param user who was logged in; empty for a deletion by which the edge follows an erasure
   * @param device the device that made the operation; empty for a client with only a password
   */
  record Change(String user, String device, Operation operation) implements EdgeLeaf {
    /** Checks the names. */
    public Change {
      if (!(user.isEmpty() && device.isEmpty() && operation instanceof Operation.Delete)) {
        requireName(user);
      }
      requireNameOrNone(device);
    }
  }

  /** A device's claim; the leaves of its operations follow directly. */
  record DeviceBatch(String user, String device, SignedClaim signed) implements EdgeLeaf {
    /** Checks the names. */
    public DeviceBatch {
      requireName(user);
      requireName(device);
    }
  }

  /**
   * The changes that follow answered a request that came with an idempotency key.
   *
   * @param key hash of the key
   * @param request hash of the request
   * @param changes how many follow
   */
  record Answered(String user, Hash key, Hash request, int changes) implements EdgeLeaf {
    /** Checks the name and the number. */
    public Answered {
      requireName(user);
      if (changes < 1 || changes > MAX_ITEMS) {
        throw new IllegalArgumentException(
            "a request makes 1 to " + MAX_ITEMS + " changes, not " + changes);
      }
    }
  }

  /** A right in one space, or in {@link #ALL_SPACES}. */
  record Grant(String space, Right right) {
    /** Checks the space. */
    public Grant {
      if (!space.equals(ALL_SPACES)) {
        Spaces.require(space);
        if (right == Right.ADMIN) {
          throw new IllegalArgumentException(
              "the right of an administrator is for all spaces, written *, not for " + space);
        }
      }
    }
  }

  /**
   * A user as it is from now on.
   *
   * @param administrator who changed it; empty for the operator of the machine
   * @param passwordHash bcrypt; empty when the user is no more
   * @param grants of distinct spaces
   */
  record User(
      long timeMillis, String administrator, String name, String passwordHash, List<Grant> grants)
      implements EdgeLeaf {
    /** Checks names and rights. */
    public User {
      requireNameOrNone(administrator);
      requireName(name);
      grants = List.copyOf(grants);
      if (passwordHash.length() > MAX_NAME_BYTES || timeMillis < 0) {
        throw new IllegalArgumentException("a bcrypt hash has 60 characters");
      }
      if (grants.size() > MAX_RIGHTS) {
        throw new IllegalArgumentException("a user has at most " + MAX_RIGHTS + " rights");
      }
      if (grants.stream().map(Grant::space).distinct().count() != grants.size()) {
        throw new IllegalArgumentException("a user has one right in each space");
      }
    }

    boolean removed() {
      return passwordHash.isEmpty();
    }

    /** Whether the user has a right in a space. */
    boolean may(Right right, String space) {
      for (Grant grant : grants) {
        if ((grant.space().equals(ALL_SPACES) || grant.space().equals(space))
            && grant.right().includes(right)) {
          return true;
        }
      }
      return false;
    }

    /** Leaves the hash out: it is in nobody's interest to see it in a log. */
    @Override
    public String toString() {
      return "User[" + name + ", " + grants + (removed() ? ", removed]" : "]");
    }
  }

  /**
   * A device as it is from now on.
   *
   * @param user who enrolled it, or changed its state
   * @param key Ed25519, 32 bytes
   * @param signature over name and user of the enrolment, 64 bytes
   */
  record Device(
      long timeMillis, String user, String name, Octets key, Octets signature, boolean enrolled)
      implements EdgeLeaf {
    static final int KEY_SIZE = 32;

    /** Checks names and sizes. */
    public Device {
      requireNameOrNone(user);
      requireName(name);
      if (key.size() != KEY_SIZE
          || signature.size() != SignedClaim.SIGNATURE_SIZE
          || timeMillis < 0) {
        throw new IllegalArgumentException("a device's key has 32 bytes, its signature 64");
      }
    }
  }

  /**
   * What may be in a space from now on.
   *
   * @param quotaBytes keys and values together; 0 for no limit
   * @param retentionMillis how long a value is kept; 0 for ever
   */
  record SpaceLimits(
      long timeMillis, String administrator, String space, long quotaBytes, long retentionMillis)
      implements EdgeLeaf {
    /** Checks names and numbers. */
    public SpaceLimits {
      requireNameOrNone(administrator);
      Spaces.require(space);
      if (quotaBytes < 0 || retentionMillis < 0 || timeMillis < 0) {
        throw new IllegalArgumentException("limits are not negative; 0 means none");
      }
    }
  }

  /**
   * The batch that was taken last of an incarnation, said again after an erasure.
   *
   * @param first the first number of the batch
   * @param last the last number that was taken
   * @param claim the name of the claim
   * @param place where it stands, or stood
   */
  record LastTaken(
      String device, Octets incarnation, long first, long last, Hash claim, Place place)
      implements EdgeLeaf {
    /** Checks name, size and numbers. */
    public LastTaken {
      requireName(device);
      if (incarnation.size() != Claim.INCARNATION_SIZE || first < 1 || last < first) {
        throw new IllegalArgumentException("an incarnation has 16 bytes, and counts from 1");
      }
    }
  }

  /**
   * What the edge has to say again after an erasure has been said.
   *
   * @param statement the name of the owner's statement
   */
  record Settled(Hash statement) implements EdgeLeaf {}

  /** Refuses what cannot be the name of a user or device. */
  static void requireName(String name) {
    if (!isName(name)) {
      throw new IllegalArgumentException(
          "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ @ -");
    }
  }

  /** Whether a user or a device may be called so. Asked for every leaf. */
  static boolean isName(String name) {
    boolean fits = !name.isEmpty() && name.length() <= MAX_NAME_BYTES;
    for (int i = 0; fits && i < name.length(); i++) {
      char c = name.charAt(i);
      boolean letterOrDigit =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      fits = letterOrDigit || c == '.' || c == '_' || c == '@' || c == '-';
    }
    return fits;
  }

  private static void requireNameOrNone(String name) {
    if (!name.isEmpty()) {
      requireName(name);
    }
  }

  // ---- Encoding -----------------------------------------------------------------------------

  /** The number of the kind. */
  private int kind() {
    return switch (this) {
      case Change _ -> 1;
      case DeviceBatch _ -> 2;
      case Answered _ -> 3;
      case User _ -> 4;
      case Device _ -> 5;
      case SpaceLimits _ -> 6;
      case LastTaken _ -> 7;
      case Settled _ -> 8;
    };
  }

  /** The encoding, compressed where that makes it smaller. */
  default byte[] encode() {
    return Compression.wrap(encodePlain());
  }

  /** The encoding as it is, not compressed. */
  default byte[] encodePlain() {
    Encoder out = new Encoder().u8(kind());
    switch (this) {
      case Change(var user, var device, var operation) ->
          out.text16(user).text16(device).raw(operation.encode());
      case DeviceBatch(var user, var device, var signed) ->
          out.text16(user).text16(device).raw(signed.encode());
      case Answered(var user, var key, var request, var changes) ->
          out.text16(user).hash(key).hash(request).u16(changes);
      case User(var time, var administrator, var name, var password, var grants) -> {
        out.u64(time).text16(administrator).text16(name).text16(password).u16(grants.size());
        grants.forEach(grant -> out.text16(grant.space()).u8(grant.right().number()));
      }
      case Device(var time, var user, var name, var key, var signature, var enrolled) ->
          out.u64(time)
              .text16(user)
              .text16(name)
              .raw(key.unsafeArray())
              .raw(signature.unsafeArray())
              .u8(enrolled ? 1 : 0);
      case SpaceLimits(var time, var administrator, var space, var quota, var retention) ->
          out.u64(time).text16(administrator).text16(space).u64(quota).u64(retention);
      case LastTaken(var device, var incarnation, var first, var last, var claim, var place) ->
          out.text16(device)
              .raw(incarnation.unsafeArray())
              .u64(first)
              .u64(last)
              .hash(claim)
              .hash(place.record())
              .u32(place.leaf());
      case Settled(var statement) -> out.hash(statement);
    }
    return out.toBytes();
  }

  /** Reads one leaf and nothing else. */
  static EdgeLeaf decode(byte[] leaf) throws ProofException {
    byte[] plain = Compression.unwrap(leaf);
    Decoder in = new Decoder(plain, "a leaf of an edge");
    try {
      EdgeLeaf read = read(in, plain);
      in.end();
      return read;
    } catch (MalformedException | IllegalArgumentException e) {
      throw in.malformed("is against a rule: " + e.getMessage());
    }
  }

  /** Reads a leaf that this program has encoded itself. */
  static EdgeLeaf decodeOwn(byte[] leaf) {
    try {
      return decode(leaf);
    } catch (ProofException e) {
      throw new AssertionError("the view is written by this program alone", e);
    }
  }

  private static EdgeLeaf read(Decoder in, byte[] plain) throws ProofException, MalformedException {
    int kind = in.u8();
    return switch (kind) {
      case 1 -> {
        String user = in.text16(MAX_NAME_BYTES);
        String device = in.text16(MAX_NAME_BYTES);
        int length = in.remaining();
        yield new Change(user, device, Operation.decode(plain, in.skip(length), length));
      }
      case 2 -> {
        String user = in.text16(MAX_NAME_BYTES);
        String device = in.text16(MAX_NAME_BYTES);
        int length = in.remaining();
        yield new DeviceBatch(user, device, SignedClaim.decode(plain, in.skip(length), length));
      }
      case 3 -> new Answered(in.text16(MAX_NAME_BYTES), in.hash(), in.hash(), in.u16());
      case 4 ->
          new User(
              in.u64(),
              in.text16(MAX_NAME_BYTES),
              in.text16(MAX_NAME_BYTES),
              in.text16(MAX_NAME_BYTES),
              grants(in));
      case 5 ->
          new Device(
              in.u64(),
              in.text16(MAX_NAME_BYTES),
              in.text16(MAX_NAME_BYTES),
              Octets.wrap(in.raw(Device.KEY_SIZE)),
              Octets.wrap(in.raw(SignedClaim.SIGNATURE_SIZE)),
              flag(in));
      case 6 ->
          new SpaceLimits(
              in.u64(), in.text16(MAX_NAME_BYTES), in.text16(MAX_NAME_BYTES), in.u64(), in.u64());
      case 7 ->
          new LastTaken(
              in.text16(MAX_NAME_BYTES),
              Octets.wrap(in.raw(Claim.INCARNATION_SIZE)),
              in.u64(),
              in.u64(),
              in.hash(),
              new Place(in.hash(), in.u32(Integer.MAX_VALUE)));
      case 8 -> new Settled(in.hash());
      default -> throw in.malformed("is of the unknown kind " + kind);
    };
  }

  private static boolean flag(Decoder in) throws ProofException {
    int value = in.u8();
    if (value > 1) {
      throw in.malformed("holds the unknown state " + value);
    }
    return value == 1;
  }

  private static List<Grant> grants(Decoder in) throws ProofException {
    int count = in.u16();
    if (count > MAX_RIGHTS) {
      throw in.malformed("holds " + count + " rights where at most " + MAX_RIGHTS + " are allowed");
    }
    List<Grant> grants = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String space = in.text16(MAX_NAME_BYTES);
      int number = in.u8();
      Right right = Right.of(number);
      if (right == null) {
        throw in.malformed("holds the unknown right " + number);
      }
      grants.add(new Grant(space, right));
    }
    return grants;
  }
}
