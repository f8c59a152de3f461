package holdfast.edge;

/**
 * What became of a task.
 *
 * @param first where its first change lies
 * @param changes how many there are, in leaves that follow each other
 * @param created whether the first change gave a value to a key that had none
 * @param repeated whether this was done before, and is only told again
 */
record Outcome(Place first, int changes, boolean created, boolean repeated) {}
