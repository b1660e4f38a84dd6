#!/usr/bin/env bun
import { executeTuned } from "./tuned.ts"

executeTuned()
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
