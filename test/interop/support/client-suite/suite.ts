import { Effect } from "effect"
import type { ConnectionOptions } from "../../../../src/programs/library.ts"
import { testWith } from "../peers.ts"
import { grouped } from "./grouped.ts"
import { producing } from "./producing.ts"
import { reading } from "./reading.ts"
import type { Case } from "./site.ts"
import { typed } from "./typed.ts"

const cases: ReadonlyArray<Case> = [...producing, ...reading, ...grouped, ...typed]

/** The client's suite at one cluster, over one way to connect: the same cases everywhere. */
export const clientSuite = (needs: Parameters<typeof testWith>[0], at: string, connection: () => ConnectionOptions): void => {
  for (const [nth, { name, run }] of cases.entries()) {
    const named = (word: string) => `suite-${at}-${nth}-${word}`
    testWith(needs, name, () => Effect.runPromise(Effect.asVoid(Effect.scoped(run({ connection: connection(), named })))))
  }
}
