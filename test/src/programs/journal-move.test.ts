import { afterAll, beforeAll, expect, test } from "bun:test"
import { cpSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { transferJournal } from "../../../src/programs/journal/copy.ts"
import { makeOriginal } from "./damage-world.ts"

let original = ""
beforeAll(async () => {
  original = await makeOriginal()
}, 120_000)
afterAll(() => rmSync(original, { recursive: true, force: true }))

test("a move to a directory with another journal says what to do, and changes neither", async () => {
  const from = join(original, "leader")
  const to = join(original, "other")
  cpSync(from, to, { recursive: true })
  // A journal without the streams of groups: another one than that which is moved.
  for (const name of readdirSync(to)) if (name.startsWith("AAAAAAAAAAAAAAAAAAAAAg-")) rmSync(join(to, name), { recursive: true })
  const files = () => [from, to].map((directory) => readdirSync(directory, { recursive: true }).map(String).toSorted())
  const before = files()
  const refused = await Effect.runPromise(Effect.flip(transferJournal({ kind: "move", from, to, config: defaultNodeConfig })))
  expect(refused.message).toContain(`${to} has a journal. Nothing was changed. Name another directory.`)
  expect(files()).toEqual(before)
}, 120_000)
