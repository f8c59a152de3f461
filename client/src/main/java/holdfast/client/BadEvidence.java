package holdfast.client;

import holdfast.base.Violation;
import holdfast.net.Endpoint;

/**
 * What a server gave that does not hold, for which it is not asked any more.
 *
 * @param server where it was asked
 * @param message what was expected and what was found
 */
public record BadEvidence(Endpoint server, Violation violation, String message) {}
