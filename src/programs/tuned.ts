import process from "node:process"

/**
 * A node's start runs much code a hundred times and then never again. The compiler's second tier takes that for hot, and spends 70 ms of a second core on it, a third of the whole
 * start. With a threshold twenty times as high it waits for what is hot indeed: a request's code is there within its first second.
 */
const setting = "BUN_JSC_thresholdForOptimizeAfterWarmUp"
const calls = "20000"

/** The engine reads its settings when the process begins, so a compiled program that starts a node begins once more, in the same process, with this one. Whoever sets it is left alone. */
const [program = "", first = "", second = "-"] = process.argv.slice(1)
const isNode = /\/franz-broker(lead)?$/.test(program) || (["up", "broker", "brokerlead"].includes(first) && second.startsWith("-"))
if (import.meta.url.includes("$bunfs") && isNode && process.env[setting] === undefined) {
  try {
    process.execve?.(process.execPath, [process.execPath, ...process.argv.slice(2)], { ...process.env, [setting]: calls })
  } catch {
    // Where that cannot be, the start is slower and nothing else.
  }
}
