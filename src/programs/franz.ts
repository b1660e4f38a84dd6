#!/usr/bin/env bun
import "./tuned.ts"
import { commands } from "./commands.ts"
import { main } from "./main.ts"

// A compiled program lives in a file system of its own; beside its sources it can do more.
const isCheckout = !import.meta.url.includes("$bunfs")

main({
  name: "franz",
  summary: "an event-sourced streaming system that speaks Kafka's protocol",
  commands,
  notes: isCheckout ? ["In a checkout also: ./franz build, check, test, bench, compare, simulate, attack, package, vectors."] : []
})
