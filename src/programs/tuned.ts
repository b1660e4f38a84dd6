import process from "node:process"

/**
 * The start of a node runs much code some dozen or some hundred times and then never again. With the engine's own
 * thresholds its compilers spend 160 ms of a second core on it, nearly as much as the start itself. The second tier waits for
 * 6,000 counts in place of 1,000, the first one for 1,000 in place of 500. The code of requests reaches that soon; a
 * higher threshold makes the first minute under load dearer, and one of 4,000 for the first tier makes connections
 * larger (docs/decisions/0047).
 */
const settings: Readonly<Record<string, string>> = {
  BUN_JSC_thresholdForOptimizeAfterWarmUp: "6000",
  BUN_JSC_thresholdForJITAfterWarmUp: "1000"
}

/** Whether the command line of this process starts a node. */
export const startsNode = (): boolean => {
  const [program = "", first = "", second = "-"] = process.argv.slice(1)
  return /\/franz-broker(lead)?$/.test(program) || (["up", "broker", "brokerlead"].includes(first) && second.startsWith("-"))
}

/**
 * Executes a compiled program that starts a node again with the settings: the engine reads its settings when the process
 * begins. Values from the environment are kept. A program calls this before it imports its other modules, so that they
 * are evaluated once. It is a function, since a bundler drops a module that is imported for its effect alone
 * (`sideEffects` in package.json).
 */
export const executeTuned = (): void => {
  if (!import.meta.url.includes("$bunfs") || !startsNode() || Object.keys(settings).every((name) => process.env[name] !== undefined)) return
  try {
    process.execve?.(process.execPath, [process.execPath, ...process.argv.slice(2)], { ...settings, ...process.env })
  } catch {
    // Without the settings the start is slower, and nothing else changes.
  }
}
