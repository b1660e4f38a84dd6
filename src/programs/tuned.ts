import process from "node:process"

/**
 * The start of a node runs much code a hundred times and then never again. The compiler's second tier would compile it,
 * for 70 ms of a second core, a third of the whole start. With a threshold six times as high it compiles the code of
 * requests alone. A higher one makes the start no cheaper, and the first minute under load dearer (docs/decisions/0047).
 */
const setting = "BUN_JSC_thresholdForOptimizeAfterWarmUp"
const calls = "6000"

/**
 * Executes a compiled program that starts a node again with the setting: the engine reads its settings when the process
 * begins. A value from the environment is kept. A program calls this before it imports its other modules, so that they
 * are evaluated once. It is a function, since a bundler drops a module that is imported for its effect alone
 * (`sideEffects` in package.json).
 */
export const executeTuned = (): void => {
  const [program = "", first = "", second = "-"] = process.argv.slice(1)
  const isNode = /\/franz-broker(lead)?$/.test(program) || (["up", "broker", "brokerlead"].includes(first) && second.startsWith("-"))
  if (!import.meta.url.includes("$bunfs") || !isNode || process.env[setting] !== undefined) return
  try {
    process.execve?.(process.execPath, [process.execPath, ...process.argv.slice(2)], { ...process.env, [setting]: calls })
  } catch {
    // Without the setting the start is slower, and nothing else changes.
  }
}
