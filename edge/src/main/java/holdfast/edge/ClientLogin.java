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
 * Who a client is: by user name and password, or else by the certificate that it has shown. What
 * lasts longer than a request asks again with {@link #still}: a connection may outlast a
 * certificate, a user and a right.
 *
 * @param certificate null for a password
 */
record ClientLogin(Login login, @Nullable X509Certificate certificate, SiteTls tls) {
  /**
   * Finds out who makes a request of HTTP. May take long: bcrypt is done here.
   *
   * @param header of authorization; null for none
   * @param certificate what the handshake has accepted; null for none
   * @throws Problem UNAUTHENTICATED, LOCKED_OUT or BUSY
   */
  static ClientLogin of(
      Logins logins,
      SiteTls tls,
      @Nullable String header,
      @Nullable X509Certificate certificate,
      String address) {
    if (header == null && certificate != null && tls.takesCertificates()) {
      Holder holder = holder(tls, certificate);
      if (holder == null) {
        throw Logins.unauthenticated();
      }
      return new ClientLogin(logins.certified(holder.name()), certificate, tls);
    }
    return new ClientLogin(logins.authenticate(header, address), null, tls);
  }

  /**
   * Finds out who a client of MQTT is, in the same way.
   *
   * @param auth what CONNECT brought; null for nothing
   * @param certificate what the handshake has accepted; null for none
   * @throws Problem UNAUTHENTICATED, LOCKED_OUT or BUSY
   */
  static ClientLogin ofMqtt(
      Logins logins,
      SiteTls tls,
      @Nullable MqttAuth auth,
      @Nullable X509Certificate certificate,
      String address) {
    // Whoever gives a name and no password that is right is not let in by a certificate.
    String header = auth == null ? null : basic(auth);
    return of(logins, tls, header, auth == null ? certificate : null, address);
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
