package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.store.DerivedTable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.TreeSet;

/**
 * Brings the keys and values of an edge out of its capsules on a master, as JSON. Everything is
 * verified on the way, and made by the code by which the edge itself makes its view; the master
 * sees ciphertext only.
 */
public final class MasterExport {
  private MasterExport() {}

  /**
   * What was exported.
   *
   * @param capsules oldest first
   */
  public record Exported(List<Hash> capsules, long changes, long keys) {}

  /**
   * Exports.
   *
   * <pre>
   *   {"edge":…,"capsules":[…],"spaces":{SPACE:[{"key","value" or "base64","type","time","etag"}…]}}
   * </pre>
   *
   * @param newest the capsule that the edge writes, or wrote last
   * @param recovery a key to which the content of all its capsules was granted
   * @param work a folder that does not exist, for what does not fit into memory; it is deleted
   */
  public static Exported json(
      Server master, String edge, Hash newest, SigningKey recovery, Path work, Writer out)
      throws ProofException, IOException {
    if (Files.exists(work)) {
      throw new HoldfastException(ErrorCode.INVALID, "the folder " + work + " exists already");
    }
    try (EdgeCapsule chain =
            CapsuleChain.open(master, newest, reader -> Masters.granted(reader, recovery), null);
        View view = View.open(work)) {
      if (!chain.catchUp(view)) {
        throw new HoldfastException(
            ErrorCode.DAMAGED, "what the master holds of edge " + edge + " does not fit together");
      }
      out.write(
          "{\"edge\":"
              + quoted(edge)
              + ",\"capsules\":["
              + String.join(
                  ",", chain.names().stream().map(name -> quoted(name.toString())).toList())
              + "],\"spaces\":{");
      long keys = 0;
      String separator = "";
      for (String space : new TreeSet<>(view.spaces.keySet())) {
        out.write(separator + "\n" + quoted(space) + ":[");
        keys += values(view, space, out);
        out.write("]");
        separator = ",";
      }
      out.write("}}\n");
      out.flush();
      return new Exported(chain.names(), view.mark().number(), keys);
    } finally {
      DerivedTable.delete(work);
    }
  }

  private static long values(View view, String space, Writer out) throws IOException {
    long[] keys = {0};
    try {
      view.list(
          space,
          "",
          null,
          (key, current) -> {
            try {
              out.write((keys[0]++ == 0 ? "\n" : ",\n") + value(key, current));
              return true;
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return keys[0];
  }

  private static String value(String key, Version.Current current) {
    Json json = Json.object().put("key", key);
    byte[] bytes = current.value();
    try {
      json.put(
          "value", StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException e) {
      json.put("base64", Base64.getEncoder().encodeToString(bytes));
    }
    return json.put("type", current.contentType())
        .put("time", Instant.ofEpochMilli(current.timeMillis()))
        .put("etag", current.place())
        .toString();
  }

  private static String quoted(String text) {
    String object = Json.object().put("", text).toString();
    return object.substring(object.indexOf(':') + 1, object.length() - 1);
  }
}
