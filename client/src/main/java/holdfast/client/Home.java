package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A user's folder: keys, content keys, remembered servers, pinned identities.
 *
 * <pre>
 *   keys/NAME.pem              private keys, found by their name
 *   capsules/NAME/epoch-N.key  content keys, 64 hexadecimal digits
 *   capsules/NAME/placement    the owner's word on which servers keep it, hexadecimal
 *   capsules/NAME/server       where the capsule was last used, HOST:PORT
 *   pins                       HOST:PORT KEY, a line for each server
 *   holdfast.toml              settings
 *   cluster.toml               the cluster on this machine, if there is one
 *   data/                      the local server's data, unless it is told otherwise
 * </pre>
 *
 * <p>Nobody else can read what is in it. A file is written beside its place, synced and moved, so
 * that it is whole whenever it is there. Several processes may use one folder.
 */
public final class Home {
  private static final String EPOCH_PREFIX = "epoch-";
  private static final String EPOCH_SUFFIX = ".key";

  private final Path folder;

  private Home(Path folder) {
    this.folder = folder;
  }

  /** The home in a folder, which is made when something is first kept in it. */
  public static Home at(Path folder) {
    return new Home(folder.toAbsolutePath().normalize());
  }

  /** The folder itself. */
  public Path folder() {
    return folder;
  }

  /** Where the local server keeps its data when it is not told otherwise. */
  public Path data() {
    return folder.resolve("data");
  }

  /** The file of settings, which need not exist. */
  public Path settings() {
    return folder.resolve("holdfast.toml");
  }

  /** Where keys are found by name. */
  public Path keys() {
    return folder.resolve("keys");
  }

  // ---- Private keys -----------------------------------------------------------------------------

  /** Reads a private key: a path, or the name of a key kept in {@link #keys}. */
  public SigningKey key(String pathOrName) {
    Path file = Path.of(pathOrName);
    if (!Files.exists(file)) {
      Path named = keys().resolve(pathOrName);
      Path withSuffix = keys().resolve(pathOrName + ".pem");
      file = Files.exists(named) ? named : Files.exists(withSuffix) ? withSuffix : file;
    }
    return readKey(file);
  }

  private static SigningKey readKey(Path file) {
    try {
      return SigningKey.parsePem(Files.readString(file));
    } catch (IllegalArgumentException e) {
      throw new HoldfastException(
          ErrorCode.INVALID, "the key file " + file + " cannot be read: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.NOT_FOUND, "the key file " + file + " cannot be read: " + reason(e), e);
    }
  }

  /** Every private key kept in {@link #keys}. */
  public List<SigningKey> keptKeys() {
    List<SigningKey> kept = new ArrayList<>();
    for (Path file : list(keys())) {
      if (file.getFileName().toString().endsWith(".pem")) {
        kept.add(readKey(file));
      }
    }
    return kept;
  }

  // ---- Content keys -----------------------------------------------------------------------------

  /** The content keys of a capsule, oldest epoch first. */
  public List<ContentKey> contentKeys(Hash capsule) {
    List<ContentKey> held = new ArrayList<>();
    for (Path file : list(capsule(capsule))) {
      String name = file.getFileName().toString();
      if (name.startsWith(EPOCH_PREFIX) && name.endsWith(EPOCH_SUFFIX)) {
        held.add(contentKey(file, name));
      }
    }
    held.sort(Comparator.comparingInt(ContentKey::epoch));
    return held;
  }

  private static ContentKey contentKey(Path file, String name) {
    try {
      int epoch =
          Integer.parseInt(
              name.substring(EPOCH_PREFIX.length(), name.length() - EPOCH_SUFFIX.length()));
      Bytes secret = Bytes.parseHex(Files.readString(file).strip());
      return new ContentKey(epoch, Secret.copyOf(secret.unsafeArray()));
    } catch (IllegalArgumentException e) {
      // The cause is left out: it may quote the key.
      throw new HoldfastException(ErrorCode.INVALID, "the content key " + file + " is malformed");
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "the content key " + file + " cannot be read: " + reason(e), e);
    }
  }

  /** Keeps a content key. Another key of the same epoch is never overwritten. */
  public void keep(Hash capsule, ContentKey key) {
    locked(() -> {
      for (ContentKey held : contentKeys(capsule)) {
        if (held.epoch() == key.epoch()) {
          if (!held.equals(key)) {
            throw new HoldfastException(
                ErrorCode.INVALID,
                "another content key of epoch "
                    + key.epoch()
                    + " of capsule "
                    + capsule.brief()
                    + " is kept already");
          }
          return;
        }
      }
      String hex = Bytes.wrap(key.secret().expose()).toHex();
      PrivateFiles.write(
          capsule(capsule).resolve(EPOCH_PREFIX + key.epoch() + EPOCH_SUFFIX), hex + "\n");
    });
  }

  private Path capsule(Hash name) {
    return folder.resolve("capsules").resolve(name.toString());
  }

  /** The capsules known here whose names begin with these digits. */
  public List<Hash> capsules(String prefix) {
    List<Hash> found = new ArrayList<>();
    for (Path file : list(folder.resolve("capsules"))) {
      String name = file.getFileName().toString();
      if (name.startsWith(prefix) && name.matches("[0-9a-f]{64}")) {
        found.add(Hash.parse(name));
      }
    }
    return found;
  }

  // ---- Servers ----------------------------------------------------------------------------------

  /** Where a capsule was last used. */
  public Optional<Endpoint> server(Hash capsule) {
    Path file = capsule(capsule).resolve("server");
    try {
      return Files.exists(file)
          ? Optional.of(Endpoint.parse(Files.readString(file).strip()))
          : Optional.empty();
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read " + file + ": " + reason(e), e);
    }
  }

  /** Remembers where a capsule is. */
  public void remember(Hash capsule, Endpoint server) {
    if (!server(capsule).equals(Optional.of(server))) {
      locked(() -> PrivateFiles.write(capsule(capsule).resolve("server"), server + "\n"));
    }
  }

  /** The placement of a capsule that was last kept here. */
  public Optional<Statement.Placement> placement(Hash capsule) {
    Path file = capsule(capsule).resolve("placement");
    try {
      return Files.exists(file)
              && Statement.decode(Bytes.parseHex(Files.readString(file).strip()).toArray())
                  instanceof Statement.Placement placement
          ? Optional.of(placement)
          : Optional.empty();
    } catch (ProofException | IllegalArgumentException e) {
      throw new HoldfastException(
          ErrorCode.INVALID, "the placement in " + file + " is malformed", e);
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read " + file + ": " + reason(e), e);
    }
  }

  /** Keeps a verified placement, unless one is kept that holds over it. */
  public void keep(Statement.Placement placement) {
    locked(() -> {
      Optional<Statement.Placement> kept = placement(placement.capsule());
      if (kept.isEmpty() || Statement.Placement.ORDER.compare(placement, kept.get()) > 0) {
        PrivateFiles.write(
            capsule(placement.capsule()).resolve("placement"),
            Bytes.wrap(placement.encode()).toHex() + "\n");
      }
    });
  }

  private static String address(Endpoint endpoint) {
    return endpoint.host().equals("localhost")
        ? new Endpoint("127.0.0.1", endpoint.port()).toString()
        : endpoint.toString();
  }

  private Map<String, VerifyKey> pins() {
    Path file = folder.resolve("pins");
    Map<String, VerifyKey> pins = new TreeMap<>();
    try {
      if (Files.exists(file)) {
        for (String line : Files.readAllLines(file)) {
          int blank = line.indexOf(' ');
          if (blank > 0) {
            pins.put(line.substring(0, blank), VerifyKey.parse(line.substring(blank + 1).strip()));
          }
        }
      }
      return pins;
    } catch (IllegalArgumentException e) {
      throw new HoldfastException(ErrorCode.INVALID, file + " is malformed: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read " + file + ": " + reason(e), e);
    }
  }

  /** The identity that a server must have. */
  public Optional<VerifyKey> pinned(Endpoint endpoint) {
    return Optional.ofNullable(pins().get(address(endpoint)));
  }

  /** Every pinned identity, by HOST:PORT. */
  public Map<String, VerifyKey> allPinned() {
    return pins();
  }

  /** From now on the server at an endpoint must have this identity. */
  public void pin(Endpoint endpoint, VerifyKey identity) {
    locked(() -> {
      Map<String, VerifyKey> pins = pins();
      if (!identity.equals(pins.put(address(endpoint), identity))) {
        write(pins);
      }
    });
  }

  /** Forgets what server an endpoint is, if it was pinned with this identity. */
  public void unpin(Endpoint endpoint, VerifyKey identity) {
    locked(() -> {
      Map<String, VerifyKey> pins = pins();
      if (pins.remove(address(endpoint), identity)) {
        write(pins);
      }
    });
  }

  private void write(Map<String, VerifyKey> pins) throws IOException {
    StringBuilder text = new StringBuilder();
    pins.forEach((address, key) -> text.append(address).append(' ').append(key).append('\n'));
    PrivateFiles.write(folder.resolve("pins"), text.toString());
  }

  /**
   * Accepts a pinned identity; of a server on this machine also the first one seen, which is then
   * pinned; and no other.
   */
  public Connection.Pin trust() {
    return this::check;
  }

  private void check(Endpoint endpoint, VerifyKey found) throws ProofException {
    Optional<VerifyKey> expected = pinned(endpoint);
    if (expected.isEmpty() && endpoint.loopback()) {
      pin(endpoint, found);
    } else if (expected.isEmpty()) {
      throw new ProofException(
          Violation.WRONG_SERVER,
          "the server at "
              + endpoint
              + " says that it is "
              + found
              + ", and no identity is pinned for it; compare with what its operator tells you");
    } else if (!expected.get().equals(found)) {
      throw new ProofException(
          Violation.WRONG_SERVER,
          "the server at "
              + endpoint
              + " is "
              + found
              + ", not "
              + expected.get()
              + " as pinned; if it was replaced on purpose, pin the new identity");
    }
  }

  // ---- Files ------------------------------------------------------------------------------------

  private static List<Path> list(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "cannot read " + folder + ": " + reason(e), e);
    }
  }

  private static String reason(IOException e) {
    return e instanceof java.nio.file.NoSuchFileException ? "no such file" : e.toString();
  }

  /** Something done while no other process changes this folder. */
  private interface Change {
    void make() throws IOException;
  }

  private synchronized void locked(Change change) {
    try {
      PrivateFiles.createFolders(folder);
      try (FileChannel file =
          FileChannel.open(
              folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        lock(file);
        change.make();
      }
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "cannot write to " + folder + ": " + reason(e), e);
    }
  }

  /** Locks until the channel is closed. Between threads a file lock fails instead of waiting. */
  private static void lock(FileChannel file) throws IOException {
    while (true) {
      try {
        file.lock();
        return;
      } catch (java.nio.channels.OverlappingFileLockException e) {
        Thread.onSpinWait();
      }
    }
  }
}
