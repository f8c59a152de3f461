package holdfast.edge;

import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.device.Operation;
import java.util.Optional;

/**
 * A change of a key, as the content of a proven leaf of an edge's capsule tells it.
 *
 * <p>The proof shows that the edge wrote this. That the device made it, only the device's signature
 * over its batch shows, which an {@link EdgeAudit} checks.
 *
 * @param edge the name of the edge
 * @param user who was logged in
 * @param device the device that made the change; empty for a client with only a password
 */
public record ProvenChange(String edge, String user, String device, Operation operation) {
  /** The change in a leaf; empty when the capsule is none of an edge, or the leaf no change. */
  public static Optional<ProvenChange> of(Metadata metadata, byte[] content) {
    Optional<String> edge = EdgeMetadata.edge(metadata);
    if (edge.isEmpty()) {
      return Optional.empty();
    }
    try {
      return EdgeLeaf.decode(content)
              instanceof EdgeLeaf.Change(var user, var device, var operation)
          ? Optional.of(new ProvenChange(edge.get(), user, device, operation))
          : Optional.empty();
    } catch (ProofException e) {
      // Whoever made the capsule only called it an edge's. The content is shown as it is.
      return Optional.empty();
    }
  }
}
