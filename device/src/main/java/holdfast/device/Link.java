package holdfast.device;

import java.io.IOException;
import java.util.Map;

/** The way to an edge: one request after the other. Over HTTPS, or a script in tests. */
interface Link extends AutoCloseable {
  /**
   * What came back.
   *
   * @param headers by lower-case name
   */
  record Reply(int status, Map<String, String> headers, Octets body) {}

  /**
   * Makes a request and waits for its answer.
   *
   * @param path begins with a slash, encoded
   * @param type content type of the body; empty when there is none
   * @throws IOException when there is no answer, in which case the edge may have done it all the
   *     same
   */
  Reply request(String method, String path, String type, byte[] body)
      throws IOException, InterruptedException;

  @Override
  void close();
}
