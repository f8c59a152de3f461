package holdfast.cli;

import holdfast.net.Endpoint;
import holdfast.net.faulty.Faults;
import holdfast.net.faulty.FaultyProxy;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/**
 * Has the links of a cluster and stalls them on demand, until it is stopped. It is started by
 * {@link ClusterUp}; {@link Control} is how others talk to it.
 *
 * <p>A connection to the port of control carries one line, {@code TOKEN VERB [FROM TO]}, and is
 * answered with {@code ok} and a line {@code FROM TO open|stalled} for each link, or with nothing
 * when it is not understood.
 */
@Command(
    name = "links",
    hidden = true,
    description = "Has the links of a cluster; 'holdfast cluster up' runs it.",
    footerHeading = "%n",
    footer = "JSON: event, control")
final class ClusterLinks extends BaseCommand {
  private static final int TIMEOUT_MILLIS = 5000;
  private static final int MAX_LINE = 200;
  private static final String OK = "ok";

  private final Map<Cluster.Link, FaultyProxy> proxies = new LinkedHashMap<>();

  ClusterLinks(Terminal terminal) {
    super(terminal);
  }

  /** What the links can be told. */
  enum Verb {
    STATE,
    STALL,
    OPEN
  }

  @Override
  int run() throws Exception {
    Cluster cluster = Cluster.of(terminal.home());
    Endpoint control = cluster.control();
    try (ServerSocket listening =
        new ServerSocket(control.port(), 50, InetAddress.ofLiteral(control.host()))) {
      for (Cluster.Link link : cluster.links()) {
        proxies.put(link, FaultyProxy.forward(link.listen(), cluster.node(link.to()).endpoint()));
      }
      print(
          Json.object().put("event", "up").put("control", control),
          "The links are controlled on " + control);
      while (true) {
        Socket socket = listening.accept();
        Thread.startVirtualThread(() -> serve(socket, cluster.token()));
      }
    } finally {
      proxies.values().forEach(FaultyProxy::close);
    }
  }

  private void serve(Socket socket, String token) {
    try (socket) {
      socket.setSoTimeout(TIMEOUT_MILLIS);
      StringBuilder line = new StringBuilder();
      InputStream in = socket.getInputStream();
      for (int c = in.read(); c >= 0 && c != '\n' && line.length() < MAX_LINE; c = in.read()) {
        line.append((char) c);
      }
      String[] words = line.toString().split(" ", -1);
      if (words.length >= 2
          && MessageDigest.isEqual(
              words[0].getBytes(StandardCharsets.US_ASCII),
              token.getBytes(StandardCharsets.US_ASCII))) {
        OutputStream out = socket.getOutputStream();
        out.write(answer(words).getBytes(StandardCharsets.US_ASCII));
      }
    } catch (IOException | IllegalArgumentException e) {
      terminal.note("a request was not understood: " + e);
    }
  }

  private synchronized String answer(String... words) {
    Verb verb = Verb.valueOf(words[1]);
    StringBuilder state = new StringBuilder(OK).append('\n');
    proxies.forEach((link, proxy) -> {
      boolean meant =
          words.length == 4
              && link.from() == Integer.parseInt(words[2])
              && link.to() == Integer.parseInt(words[3]);
      if (meant && verb != Verb.STATE) {
        proxy.set(Faults.NONE.withStalled(verb == Verb.STALL));
        terminal.line(
            (verb == Verb.STALL ? "stalled " : "opened ") + link.from() + " to " + link.to());
      }
      boolean stalled = proxy.faults(FaultyProxy.Direction.TO_TARGET).stalled();
      state.append(link.from()).append(' ').append(link.to());
      state.append(stalled ? " stalled\n" : " open\n");
    });
    return state.toString();
  }

  /** Talks to the process that has the links of a cluster. */
  record Control(Endpoint endpoint, String token) {
    /** The links that are stalled, each as FROM and TO. */
    List<List<Integer>> stalled() throws IOException {
      return ask(Verb.STATE.name());
    }

    /** Stalls a link or opens it again. */
    void set(Verb verb, int from, int to) throws IOException {
      ask(verb + " " + from + " " + to);
    }

    private List<List<Integer>> ask(String request) throws IOException {
      try (Socket socket = new Socket()) {
        socket.connect(endpoint.socketAddress(), TIMEOUT_MILLIS);
        socket.setSoTimeout(TIMEOUT_MILLIS);
        String line = token + " " + request + "\n";
        socket.getOutputStream().write(line.getBytes(StandardCharsets.US_ASCII));
        List<List<Integer>> stalled = new ArrayList<>();
        BufferedReader in =
            new BufferedReader(
                new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
        if (!OK.equals(in.readLine())) {
          throw new IOException("what answers on " + endpoint + " is not this cluster");
        }
        for (String said = in.readLine(); said != null; said = in.readLine()) {
          String[] words = said.split(" ", -1);
          if (words[2].equals("stalled")) {
            stalled.add(List.of(Integer.parseInt(words[0]), Integer.parseInt(words[1])));
          }
        }
        return stalled;
      }
    }
  }
}
