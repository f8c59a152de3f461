package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.edge.site.Holder;
import holdfast.edge.site.SiteTls;
import io.vertx.mqtt.MqttAuth;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/**
 * Who a client of MQTT is: by user name and password, or else by the certificate that it has shown.
 *
 * @param certificate null for a password
 */
record MqttLogin(Login login, @Nullable X509Certificate certificate, SiteTls tls) {
  /**
   * Finds out who a client is. May take long: bcrypt is done here.
   *
   * @param auth what CONNECT brought; null for nothing
   * @param certificate what the handshake has accepted; null for none
   * @throws Problem UNAUTHENTICATED, LOCKED_OUT or BUSY
   */
  static MqttLogin of(
      Logins logins,
      SiteTls tls,
      @Nullable MqttAuth auth,
      @Nullable X509Certificate certificate,
      String address) {
    if (auth == null && certificate != null) {
      Holder holder = holder(tls, certificate);
      if (holder == null) {
        throw Logins.unauthenticated();
      }
      return new MqttLogin(logins.certified(holder.name()), certificate, tls);
    }
    return new MqttLogin(logins.authenticate(basic(auth), address), null, tls);
  }

  private static @Nullable Holder holder(SiteTls tls, X509Certificate certificate) {
    try {
      Holder holder = tls.holder(certificate);
      boolean logsIn = holder.kind() == Holder.Kind.USER || holder.kind() == Holder.Kind.DEVICE;
      return logsIn ? holder : null;
    } catch (CertificateException e) {
      // Expired or revoked since the handshake.
      return null;
    }
  }

  /** As the header of HTTP says it, so that a login by one is known to the other. */
  private static @Nullable String basic(@Nullable MqttAuth auth) {
    if (auth == null || auth.getUsername() == null) {
      return null;
    }
    // In the header a colon ends the name. A name that has one is nobody's, and stays so.
    String name = auth.getUsername().contains(":") ? "" : auth.getUsername();
    String password = auth.getPassword() == null ? "" : auth.getPassword();
    return Logins.BASIC
        + Base64.getEncoder().encodeToString((name + ":" + password).getBytes(UTF_8));
  }

  String name() {
    return login.name();
  }

  /** Whether the client still is who it was, by its certificate too, and has a right. */
  boolean still(Edge edge, Right right, String space) {
    return (certificate == null || holder(tls, certificate) != null)
        && edge.still(login, right, space);
  }
}
