package holdfast.edge.site;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.net.Socket;
import java.nio.file.Path;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.Consumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * The certificate that a server shows, and its key, by two files that are read again when they
 * change: a certificate is renewed without a restart.
 */
final class ServerKey extends X509ExtendedKeyManager {
  private static final String ALIAS = "site";

  private final WatchedFile<Shown> shown;
  private volatile Consumer<X509Certificate> changed = one -> {};

  private record Shown(List<X509Certificate> chain, PrivateKey key) {}

  ServerKey(Path chain, Path key) {
    this.shown = new WatchedFile<>(List.of(chain, key), before -> again(before, chain, key));
  }

  /** Has somebody told of a new certificate, before the first client is shown it. */
  void onChange(Consumer<X509Certificate> listener) {
    changed = listener;
  }

  private Shown again(@Nullable Shown before, Path chain, Path key) {
    Shown now = read(chain, key);
    if (before != null) {
      changed.accept(now.chain().getFirst());
    }
    return now;
  }

  private static Shown read(Path chainFile, Path keyFile) {
    List<X509Certificate> chain = Pem.certificates(chainFile);
    PrivateKey key = Pem.key(keyFile);
    if (!SiteAuthority.fits(key, chain.getFirst().getPublicKey())) {
      throw new HoldfastException(
          ErrorCode.INVALID, "the key in " + keyFile + " is not that of " + chainFile);
    }
    return new Shown(chain, key);
  }

  /** The certificate that is shown now. */
  X509Certificate certificate() {
    return shown.get().chain().getFirst();
  }

  private @Nullable String alias(String keyType) {
    String algorithm = shown.get().key().getAlgorithm();
    boolean fits = keyType.equals(algorithm) || keyType.startsWith(algorithm + "_");
    return fits || (algorithm.equals("RSA") && keyType.equals("RSASSA-PSS")) ? ALIAS : null;
  }

  @Override
  public @Nullable String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return alias(keyType);
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return alias(keyType);
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return alias(keyType) == null ? null : new String[] {ALIAS};
  }

  @Override
  public X509Certificate[] getCertificateChain(String alias) {
    return shown.get().chain().toArray(X509Certificate[]::new);
  }

  @Override
  public PrivateKey getPrivateKey(String alias) {
    return shown.get().key();
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return null;
  }

  @Override
  public @Nullable String chooseClientAlias(
      String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return null;
  }
}
