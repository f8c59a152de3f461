/**
 * The data model: what a capsule is, what a record is, and what proves it. Pure: no file, socket,
 * thread, clock or source of randomness; those come in as arguments.
 *
 * <pre>
 *   Metadata ──hash──▶ capsule name          ┌──────────── signature (Statement.WriterSignature)
 *                                            ▼
 *   Record = header ──hash──▶ record name   D ──▶ C ──▶ B ──▶ A     backpointers: child to parent
 *            body   ──Merkle──▶ body root    ╰──────────▶╯          skip pointers shorten proofs
 * </pre>
 *
 * <p>A record is believed for one of three reasons (DCS paper, section 3.3): it is signed; a chain
 * of headers leads from something signed down to it; or such a chain leads from something the
 * reader verified before. {@link holdfast.capsule.RecordGraph} keeps for every record the best such
 * chain as a {@link holdfast.capsule.Witness}; {@link holdfast.capsule.ProofPlan} turns witnesses
 * into proofs, {@link holdfast.capsule.ChainProof} encodes and checks them, {@link
 * holdfast.capsule.CacheMirror} and {@link holdfast.capsule.VerificationCache} keep them short.
 * Within a record {@link holdfast.capsule.LeafProof} does the same over the Merkle tree.
 *
 * <p>Invariants: a name is the hash of what it names; every accepted encoding is the only one of
 * its value; nothing enters a verification cache before the whole proof that carries it holds; the
 * rank of a witness only falls; an erased body is never taken back.
 *
 * <p>Reading order: Metadata, RecordHeader, Body, Record, Sealer, Statement, Backpointers,
 * RecordGraph, ProofPlan, ChainProof, LeafProof, Receipt, Freshness, OfflineProof, Bundle.
 */
@NullMarked
package holdfast.capsule;

import org.jspecify.annotations.NullMarked;
