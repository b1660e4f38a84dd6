import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"
import { Run, root, temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

/** A node from its sources that is told to stop at a moment, before the next statement of its program. */
const stoppedAt = (moment: "loading" | "ready") =>
  Run.start(
    process.execPath,
    ["--preload", join(root, "test/interop/support/stop-at.ts"), join(root, "src/programs/franz.ts"), "up", "--port", "0", "--data", join(data.path, moment)],
    { env: { FRANZ_TEST_STOP_AT: moment } }
  ).end()

test("a node that is told to stop as it prints `ready` stops cleanly", async () => {
  const { code, stderr, stdout } = await stoppedAt("ready")
  expect(stdout).toEndWith("\nready\n")
  expect(stderr).toContain("stopping (SIGTERM) …")
  expect(code).toBe(0)
})

test("a node that is told to stop while its modules load stops cleanly, and is never ready", async () => {
  expect(await stoppedAt("loading")).toMatchObject({ code: 0, stdout: "" })
})
