import type { FFIFunction } from "bun:ffi"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * Compiles `source`, C, in memory with the compiler that Bun brings, and returns its functions. Throws where there is
 * no compiler, on another processor than x64, or where no temporary file can be written. A caller checks and converts
 * every argument: `bun:ffi` passes a number to C as the engine stores it.
 */
export const compileC = <const Symbols extends Record<string, FFIFunction>>(name: string, source: string, symbols: Symbols) => {
  if (process.arch !== "x64" || process.platform === "win32" || process.versions.bun === undefined) throw new Error("not here")
  const { cc } = require("bun:ffi") as typeof import("bun:ffi")
  // The compiler reads source from files alone.
  const directory = mkdtempSync(join(tmpdir(), `franz-${name}-`))
  try {
    const file = join(directory, `${name}.c`)
    writeFileSync(file, source)
    return cc({ source: file, symbols }).symbols
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
