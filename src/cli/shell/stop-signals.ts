import process from "node:process"

type Listener = (name: NodeJS.Signals) => void

// A module without others, since a node receives signals before those load.

let received: NodeJS.Signals | undefined
let isReceiving = false
const listeners = new Set<Listener>()

const receive: Listener = (name) => {
  if (received !== undefined) process.exit(130)
  received = name
  for (const listener of listeners) listener(name)
}

/**
 * Receives SIGTERM and SIGINT until the process ends: where no listener is registered, also for a moment, they end it at once. A second one ends it at once, too: acknowledged messages are safe
 * without a clean shutdown.
 */
export const receiveStopSignals = (): void => {
  if (isReceiving) return
  isReceiving = true
  // One listener for both times: Deno calls a listener that is added while a signal is delivered for that same signal.
  process.on("SIGTERM", receive)
  process.on("SIGINT", receive)
}

/** Calls the listener with the first signal, at once where that was received before. Returns how to remove the listener. */
export const onStopSignal = (listener: Listener): (() => void) => {
  receiveStopSignals()
  if (received !== undefined) listener(received)
  else listeners.add(listener)
  return () => void listeners.delete(listener)
}
