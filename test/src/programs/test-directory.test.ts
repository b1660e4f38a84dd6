import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { Run, root, temporaryDirectory, until } from "../../interop/support/process.ts"

// A process has four minutes to end.
setDefaultTimeout(300_000)

/** A process of its own that starts a test cluster, and then ends as it is told. Its directory for temporary files is its own. */
const temporary = temporaryDirectory()
afterAll(() => temporary.remove())
const starting = (then: string) =>
  Run.start(process.execPath, ["-e", `import { startCluster } from "${root}/src/programs/testing.ts"\n${then}`], { env: { TMPDIR: temporary.path } })
const left = () => readdirSync(temporary.path).filter((name) => name.startsWith("comanche-franz-"))
const isEmpty = () => left().length === 0

describe("the data of a test cluster is removed", () => {
  test("when the process exits without closing it", async () => {
    const ended = await starting("await startCluster(); process.exit(3)").end()
    expect(ended).toMatchObject({ code: 3 })
    expect(left()).toEqual([])
  })

  test("when a test fails, by `await using`", async () => {
    const { code, stderr } = await starting("await using cluster = await startCluster(); throw new Error(`failed beside ${cluster.leader}`)").end()
    expect(code).toBe(1)
    expect(stderr).toMatch(/failed beside 127\.0\.0\.1:\d+/)
    expect(left()).toEqual([])
  })

  for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"] as const)
    test(`when the process gets ${signal}`, async () => {
      const started = starting("await startCluster(); console.log('started')")
      await started.says(/^started$/m)
      expect(left()).toHaveLength(1)
      await started.kill(signal)
      await until(`nothing left of ${left()}`, isEmpty)
    })

  test("by the next test cluster, where nothing else removed it", async () => {
    const started = starting("await startCluster(); console.log('started')")
    await started.says(/^started$/m)
    const [name = ""] = left()
    await started.kill()
    await until("nothing left", isEmpty)
    mkdirSync(join(temporary.path, name, "leader"), { recursive: true })
    // Of another machine that shares the directory, and of a process that lives.
    mkdirSync(join(temporary.path, "comanche-franz-00000000-1-x"))
    mkdirSync(join(temporary.path, name.replace(/-\d+-[^-]*$/, `-${process.pid}-x`)))
    expect(await starting("await (await startCluster()).close(); process.exit()").end()).toMatchObject({ code: 0 })
    expect(left().sort()).toEqual([name.replace(/-\d+-[^-]*$/, `-${process.pid}-x`), "comanche-franz-00000000-1-x"].sort())
  })
})

describe("the settings of a test cluster", () => {
  test("that are misspelt or out of bounds fail with ClusterFailure", async () => {
    const { startCluster } = await import("../../../src/programs/testing.ts")
    const failure = (config: Readonly<Record<`${string}.${string}`, string | number>>) =>
      startCluster({ config }).then(
        () => "started",
        (error: unknown) => String(error)
      )
    expect(await failure({ "num.partition": 3 })).toContain("config: there is no setting 'num.partition'. Did you mean 'num.partitions'?")
    expect(await failure({ "num.partitions": "six" })).toContain("num.partitions=six: expected a whole number")
  })
})
