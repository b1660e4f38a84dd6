import { Effect } from "effect"
import type { ConnectionOptions } from "../../../../src/client/options.ts"
import { Admin } from "../../../../src/programs/library.ts"
import { exercise } from "./exercise.ts"

/** A client's work on any runtime: the last argument is JSON with the connection, and with connections that must fail. */
const { connection, name, wrong } = JSON.parse(process.argv.at(-1) ?? "") as {
  readonly connection: ConnectionOptions
  readonly name: string
  readonly wrong: Readonly<Record<string, ConnectionOptions>>
}
const run = Effect.gen(function* () {
  const done = yield* exercise(connection, name)
  const errors: Record<string, string> = {}
  for (const [what, options] of Object.entries(wrong)) {
    const { _tag, message } = yield* Effect.flip(Effect.scoped(Admin.make(options)))
    errors[what] = `${_tag}: ${message}`
  }
  return { ...done, errors }
})
console.log(JSON.stringify(await Effect.runPromise(run)))
process.exit(0)
