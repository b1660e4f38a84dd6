import fc from "fast-check"

/**
 * The seed of all that tests draw at random: a run draws the same cases as the run before, so a test cannot fail by its draw alone. FRANZ_SEED draws other cases. bunfig.toml loads
 * this file before every test file.
 */
export const seed = Number(process.env["FRANZ_SEED"] ?? 1)
if (!Number.isSafeInteger(seed)) throw new Error(`FRANZ_SEED is ${process.env["FRANZ_SEED"]}, which is no integer.`)
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
