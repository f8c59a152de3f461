package holdfast.edge.site;

import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Who a certificate of the site was issued to.
 *
 * @param name 1 to 64 of the characters {@code A-Z a-z 0-9 . _ @ -}
 */
public record Holder(Kind kind, String name) {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._@-]{1,64}");
  private static final String SCHEME = "holdfast:";
  private static final int URI = 6;

  /** What a holder is. */
  public enum Kind {
    /** Queues data and sends it to an edge. */
    DEVICE,
    /** A person or a program with rights on an edge. */
    USER,
    /** Serves devices. */
    EDGE,
    /** Keeps the capsules of edges. */
    MASTER;

    /** Whether others connect to it, so that it shows its certificate as a server. */
    public boolean serves() {
      return this == EDGE || this == MASTER;
    }

    /** Reads what {@link #toString} writes. */
    public static Kind parse(String text) {
      for (Kind kind : values()) {
        if (kind.toString().equals(text)) {
          return kind;
        }
      }
      throw new IllegalArgumentException(
          "a certificate is for a device, user, edge or master, not for '" + text + "'");
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Checks the name. */
  public Holder {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ @ -, which '" + name + "' has not");
    }
  }

  /** As it stands among a certificate's alternative names. */
  String uri() {
    return SCHEME + kind + "/" + name;
  }

  /** Who holds a certificate; empty when it does not say so in our way. */
  public static Optional<Holder> of(X509Certificate certificate) {
    try {
      Collection<List<?>> names = certificate.getSubjectAlternativeNames();
      if (names == null) {
        return Optional.empty();
      }
      for (List<?> one : names) {
        if (one.getFirst().equals(URI) && one.get(1) instanceof String uri) {
          Optional<Holder> found = parse(uri);
          if (found.isPresent()) {
            return found;
          }
        }
      }
      return Optional.empty();
    } catch (CertificateParsingException e) {
      // Names that cannot be read name nobody.
      return Optional.empty();
    }
  }

  private static Optional<Holder> parse(String uri) {
    int slash = uri.indexOf('/');
    if (!uri.startsWith(SCHEME) || slash < 0) {
      return Optional.empty();
    }
    try {
      Kind kind = Kind.parse(uri.substring(SCHEME.length(), slash));
      return Optional.of(new Holder(kind, uri.substring(slash + 1)));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  @Override
  public String toString() {
    return kind + " " + name;
  }
}
