#!/usr/bin/env bun
import { executeTuned, startsNode } from "./tuned.ts"

executeTuned()
// A node that is told to stop while its modules load stops as one that serves. Before, a received signal would be lost with the process's first program.
if (startsNode()) (await import("../cli/shell/stop-signals.ts")).receiveStopSignals()
const { commands } = await import("./commands.ts")
const { main } = await import("./main.ts")

// A compiled program is in a virtual file system; a checkout has the commands for developers too.
const isCheckout = !import.meta.url.includes("$bunfs")

main({
  name: "franz",
  summary: "an event-sourced streaming system that speaks Kafka's protocol",
  commands,
  notes: isCheckout ? ["In a checkout also: ./franz build, check, test, bench, compare, simulate, attack, package, vectors."] : []
})
