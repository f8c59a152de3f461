package holdfast.cli;

import holdfast.client.PrivateFiles;
import holdfast.edge.site.Holder;
import holdfast.edge.site.IssuedCertificate;
import holdfast.edge.site.SiteAuthority;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The certificates of a site. */
@Command(
    name = "ca",
    description =
        "Makes the authority of a site, and certificates for its devices, users, edges and masters.",
    footerHeading = "%n",
    footer = {
      "An edge shows its certificate to those who connect, and takes those of users and devices in",
      "place of a password. The authority's key stays in its folder, which only you can read: keep it",
      "off the edges, and keep a copy."
    })
final class CaCommand extends GroupCommand {
  CaCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new CaCommand(terminal))
        .addSubcommand(new Init(terminal))
        .addSubcommand(new Issue(terminal))
        .addSubcommand(new Revoke(terminal))
        .addSubcommand(new ListIssued(terminal))
        .addSubcommand(new Show(terminal));
  }

  /** What works on the folder of an authority. */
  abstract static class OnFolder extends BaseCommand {
    @Option(
        names = "--dir",
        paramLabel = "DIR",
        description = "The authority's folder. Default: HOLDFAST_HOME/ca.",
        order = 990)
    @Nullable Path dir;

    OnFolder(Terminal terminal) {
      super(terminal);
    }

    final Path folder() {
      return dir == null ? terminal.home().folder().resolve("ca") : dir;
    }

    final SiteAuthority authority() {
      return SiteAuthority.open(folder(), InstantSource.system());
    }

    final List<IssuedCertificate> found(SiteAuthority authority, String selector) {
      List<IssuedCertificate> found = authority.find(selector);
      if (found.isEmpty()) {
        throw Failure.failed(
            "no certificate is of '" + selector + "' or has a serial number that begins so",
            "'holdfast ca list' shows what was issued.");
      }
      return found;
    }

    final Json describe(IssuedCertificate one) {
      X509Certificate certificate = one.certificate();
      Instant revoked = one.revoked();
      return Json.object()
          .put("serial", one.serial())
          .put("kind", one.holder().kind())
          .put("name", one.holder().name())
          .put("state", one.state(Instant.now()).name().toLowerCase(Locale.ROOT))
          .put("notBefore", certificate.getNotBefore().toInstant())
          .put("notAfter", certificate.getNotAfter().toInstant())
          .put("revoked", revoked == null ? null : revoked.toString())
          .put("fingerprint", IssuedCertificate.fingerprint(certificate));
    }

    static String line(IssuedCertificate one) {
      return String.format(
          Locale.ROOT,
          "%s  %-7s  %-6s  %-24s  until %s",
          one.serial().substring(0, 16),
          one.state(Instant.now()).name().toLowerCase(Locale.ROOT),
          one.holder().kind(),
          one.holder().name(),
          one.certificate().getNotAfter().toInstant());
    }
  }

  static Duration days(int days) {
    if (days < 1 || days > 36500) {
      throw Failure.usage(
          "a certificate is valid for 1 to 36500 days, not " + days, "Give --days another number.");
    }
    return Duration.ofDays(days);
  }

  /** Makes an authority. */
  @Command(
      name = "init",
      description =
          "Makes the authority of a site: a key, a certificate and an empty revocation list.",
      footerHeading = "%n",
      footer = {
        "Example:",
        "  holdfast ca init --name 'Plant 7'",
        "",
        "JSON: certificate, revoked, fingerprint, notAfter"
      })
  static final class Init extends OnFolder {
    @Option(
        names = "--name",
        paramLabel = "NAME",
        defaultValue = "Holdfast site",
        description = "What the site is called in certificates. Default: Holdfast site.")
    String name = "";

    @Option(
        names = "--days",
        paramLabel = "N",
        defaultValue = "3650",
        description = "How long the authority is valid. Default: 3650.")
    int days;

    Init(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() {
      SiteAuthority made = SiteAuthority.init(folder(), name, days(days), InstantSource.system());
      String fingerprint = IssuedCertificate.fingerprint(made.certificate());
      print(
          Json.object()
              .put("certificate", made.certificateFile())
              .put("revoked", made.revocationFile())
              .put("fingerprint", fingerprint)
              .put("notAfter", made.certificate().getNotAfter().toInstant()),
          "Clients trust "
              + made.certificateFile()
              + "\nSHA-256 "
              + fingerprint
              + "\nServers are told what is revoked by "
              + made.revocationFile());
      return 0;
    }
  }

  /** Issues a certificate. */
  @Command(
      name = "issue",
      description = "Issues a certificate: makes NAME.pem and NAME.key, which only you can read.",
      footerHeading = "%n",
      footer = {
        "Examples:",
        "  holdfast ca issue edge edge-1 --host edge-1.plant.example,10.0.0.7",
        "  holdfast ca issue user alice --days 90 --out certificates",
        "",
        "JSON: serial, kind, name, state, notBefore, notAfter, revoked, fingerprint, certificate, key"
      })
  static final class Issue extends OnFolder {
    @Parameters(
        index = "0",
        paramLabel = "KIND",
        description = "device, user, edge or master: who is to hold it.")
    String kind = "";

    @Parameters(
        index = "1",
        paramLabel = "NAME",
        description = "The holder's name; for a user or a device that by which the edge knows it.")
    String name = "";

    @Option(
        names = "--host",
        paramLabel = "HOST",
        arity = "1..*",
        split = ",",
        description =
            "Names and addresses under which an edge or a master is reached. Default: localhost,"
                + " 127.0.0.1 and ::1.")
    List<String> hosts = new ArrayList<>();

    @Option(
        names = "--days",
        paramLabel = "N",
        defaultValue = "397",
        description = "How long it is valid. Default: 397.")
    int days;

    @Option(
        names = {"-o", "--out"},
        paramLabel = "DIR",
        description = "The folder to write to. Default: the one you are in.")
    @Nullable Path out;

    Issue(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      Holder holder = new Holder(Holder.Kind.parse(kind), name);
      Path folder = out == null ? Path.of("") : out;
      Path certificate = folder.resolve(name + ".pem");
      Path key = folder.resolve(name + ".key");
      for (Path file : List.of(certificate, key)) {
        if (Files.exists(file)) {
          throw Failure.failed(
              file + " exists already, and is not overwritten",
              "Move it away, or choose another folder: --out DIR");
        }
      }
      List<String> names =
          hosts.isEmpty() && holder.kind().serves()
              ? List.of("localhost", "127.0.0.1", "::1")
              : hosts;
      SiteAuthority.Issue issue = authority().issue(holder, names, days(days));
      try {
        PrivateFiles.create(key, issue.key());
        PrivateFiles.create(certificate, issue.chain());
      } catch (FileAlreadyExistsException e) {
        throw Failure.failed(
            e.getFile() + " came into being meanwhile",
            "Revoke what was issued: holdfast ca revoke " + issue.issued().serial());
      }
      print(
          describe(issue.issued()).put("certificate", certificate).put("key", key),
          "Certificate "
              + certificate
              + " and key "
              + key
              + " of "
              + holder
              + "\nSerial "
              + issue.issued().serial()
              + ", valid until "
              + issue.issued().certificate().getNotAfter().toInstant());
      return 0;
    }
  }

  /** Revokes certificates. */
  @Command(
      name = "revoke",
      description = "Revokes certificates: those of a holder, or the one with a serial number.",
      footerHeading = "%n",
      footer = {
        "Servers that read the authority's crl.pem refuse them from then on, without a restart; to",
        "others the file has to be brought.",
        "",
        "Examples:",
        "  holdfast ca revoke alice",
        "  holdfast ca revoke device/kitchen",
        "  holdfast ca revoke 5D0F33A1",
        "",
        "JSON: revoked (serial, kind, name, …), list"
      })
  static final class Revoke extends OnFolder {
    @Parameters(
        paramLabel = "NAME|KIND/NAME|SERIAL",
        description = "Whose certificates, or the beginning of a serial number.")
    String selector = "";

    Revoke(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() {
      SiteAuthority authority = authority();
      List<IssuedCertificate> fresh = authority.revoke(found(authority, selector));
      print(
          Json.object()
              .put("revoked", fresh.stream().map(this::describe).toList())
              .put("list", authority.revocationFile()),
          fresh.isEmpty()
              ? "They were revoked before."
              : String.join("\n", fresh.stream().map(OnFolder::line).toList()));
      return 0;
    }
  }

  /** Lists what was issued. */
  @Command(
      name = "list",
      description = "Lists the certificates that were issued, oldest first.",
      footerHeading = "%n",
      footer = {
        "Example:",
        "  holdfast ca list",
        "",
        "JSON: serial, kind, name, state, notBefore, notAfter, revoked, fingerprint"
      })
  static final class ListIssued extends OnFolder {
    ListIssued(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() {
      for (IssuedCertificate one : authority().list()) {
        print(describe(one), line(one));
      }
      return 0;
    }
  }

  /** Shows the authority, or certificates. */
  @Command(
      name = "show",
      description = "Shows the authority, or what was issued to a holder or has a serial number.",
      footerHeading = "%n",
      footer = {
        "Examples:",
        "  holdfast ca show",
        "  holdfast ca show alice",
        "",
        "JSON: name, certificate, revoked, fingerprint, notBefore, notAfter, issued, or as list"
      })
  static final class Show extends OnFolder {
    @Parameters(
        arity = "0..1",
        paramLabel = "NAME|KIND/NAME|SERIAL",
        description = "Whose certificates, or the beginning of a serial number.")
    @Nullable String selector;

    Show(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() {
      SiteAuthority authority = authority();
      if (selector != null) {
        for (IssuedCertificate one : found(authority, selector)) {
          print(describe(one), one.serial() + "\n" + text(one));
        }
        return 0;
      }
      X509Certificate own = authority.certificate();
      String fingerprint = IssuedCertificate.fingerprint(own);
      int issued = authority.list().size();
      print(
          Json.object()
              .put("name", own.getSubjectX500Principal().getName())
              .put("certificate", authority.certificateFile())
              .put("revoked", authority.revocationFile())
              .put("fingerprint", fingerprint)
              .put("notBefore", own.getNotBefore().toInstant())
              .put("notAfter", own.getNotAfter().toInstant())
              .put("issued", issued),
          own.getSubjectX500Principal().getName()
              + "\n  certificate "
              + authority.certificateFile()
              + "\n  SHA-256 "
              + fingerprint
              + "\n  valid until "
              + own.getNotAfter().toInstant()
              + "\n  issued "
              + issued);
      return 0;
    }

    private static String text(IssuedCertificate one) {
      Instant revoked = one.revoked();
      return "  of "
          + one.holder()
          + "\n  valid from "
          + one.certificate().getNotBefore().toInstant()
          + " until "
          + one.certificate().getNotAfter().toInstant()
          + (revoked == null ? "" : "\n  revoked at " + revoked)
          + "\n  SHA-256 "
          + IssuedCertificate.fingerprint(one.certificate());
    }
  }
}
