/**
 * The {@code holdfast} command. One class per verb; each prints what it found for people, or with
 * {@code --json} one JSON object per result.
 *
 * <pre>
 *   Main ── Settings   every flag also as HOLDFAST_… and in holdfast.toml
 *     ├──── Command    --help, --json            ─ key, fsck, verify, up, demo, pin, cluster
 *     └──── ServerCommand   --server, capsules   ─ create, append, log, read, …
 *            └ Failures     exit codes and the two lines that say what happened and what to do
 * </pre>
 *
 * <p>Exit codes: 0 done, 1 failed, 2 used wrongly, 3 integrity violation.
 */
@NullMarked
package holdfast.cli;

import org.jspecify.annotations.NullMarked;
