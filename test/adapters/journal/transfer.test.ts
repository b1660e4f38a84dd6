import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Fiber, Logger, LogLevel, Scope } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import type { EtcdClient } from "../../../adapters/journal/etcd/client.ts"
import { SimulatedEtcd } from "../../../adapters/journal/etcd/simulated.ts"
import { readEtcdStream, reserveEtcdStream, streamsBelow, writeEtcdStream } from "../../../adapters/journal/etcd/transfer.ts"
import { openExport, writeExport } from "../../../adapters/journal/export-file.ts"
import { digestOf, eachBatches, type StreamImage } from "../../../adapters/journal/stream-image.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { candidate, entry, stream } from "../../src/ports/journal.contract.ts"
import { process } from "./etcd/support.ts"

const prefix = "/franz"
const directory = mkdtempSync(join(tmpdir(), "franz-transfer-"))
afterAll(() => rmSync(directory, { recursive: true }))
const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  new VirtualClock().run(Effect.scoped(effect).pipe(Logger.withMinimumLogLevel(LogLevel.None)), 600_000)

/** A stream of many appends, one of them in parts, with a snapshot; led by no candidate any more. */
const filled = (etcd: SimulatedEtcd, appends = 400, scale = 1) =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* process(etcd.client("leader"), prefix)
      const { epoch } = yield* journal.campaign(stream, candidate)
      for (let n = 0; n < appends; n++) yield* journal.append(stream, epoch, n, [entry(n, (n === 7 ? 3_000_000 : n % 50 === 0 ? 400_000 : 100) / scale)])
      yield* journal.saveSnapshot(stream, { index: Math.min(5, appends), value: new Uint8Array(2_500_000 / scale).fill(7) })
    })
  )
const at = (client: EtcdClient, below = prefix) => ({ client, prefix: below, crc32c })

describe("a stream of etcd that is read to be copied", () => {
  test("is never in memory as a whole, and its copy has the same digest, also after a copy that was interrupted anywhere", () =>
    run(
      Effect.gen(function* () {
        const etcd = new SimulatedEtcd()
        yield* filled(etcd)
        let largest = 0
        const plain = etcd.client("reader")
        const client: EtcdClient = {
          ...plain,
          range: (request) =>
            Effect.tap(plain.range(request), (found) =>
              Effect.sync(
                () =>
                  (largest = Math.max(
                    largest,
                    found.reduce((sum, { value }) => sum + value.length, 0)
                  ))
              )
            )
        }
        const image = yield* readEtcdStream(at(client), stream)
        const expected = yield* digestOf(image)
        expect(expected).toMatchObject({ start: 0, end: 400, epoch: 0, batches: 400 })
        expect(expected.bytes).toBeGreaterThan(6_000_000)
        expect(largest).toBeLessThan(5_000_000)

        const target = new SimulatedEtcd()
        const to = at(target.client("writer"), "/copy")
        // Each time a later write is refused: the first of them leave a part of a copy.
        for (let writes = 0; ; writes++) {
          let left = writes
          target.fault(() => left-- === 0, "full")
          const written = yield* Effect.either(writeEtcdStream(to, image))
          if (written._tag === "Right") break
          expect(yield* streamsBelow(to)).toEqual([])
          writes += 2
        }
        expect(yield* Effect.flatMap(readEtcdStream(to, stream), digestOf)).toEqual(expected)
        expect(yield* streamsBelow(to)).toEqual([stream])
        expect(yield* Effect.flip(writeEtcdStream(to, image))).toMatchObject({
          message: expect.stringContaining("has __cluster_metadata below /copy already")
        })
        const journal = yield* process(target.client("candidate"), "/copy")
        expect(yield* journal.campaign(stream, candidate)).toMatchObject({ start: 0, end: 400, epoch: 1 })
        expect((yield* journal.loadSnapshot(stream))?.value.length).toBe(2_500_000)
      })
    ))

  test("that is trimmed meanwhile is not copied with a gap", () =>
    run(
      Effect.gen(function* () {
        const etcd = new SimulatedEtcd()
        yield* filled(etcd)
        const image = yield* readEtcdStream(at(etcd.client("reader")), stream)
        for (const key of etcd.under(`${prefix}/${stream}/e/`).slice(0, 300)) etcd.overwrite(key, undefined)
        expect((yield* Effect.flip(digestOf(image))).message).toMatch(/was trimmed .* while entry \d+ was read. Nothing is lost: run the command again/)
      })
    ))

  test("M5: while it is moved no candidate wins; afterwards a candidate ends with where it is; a move that was not kept leaves it as it was", () =>
    run(
      Effect.gen(function* () {
        const etcd = new SimulatedEtcd()
        yield* filled(etcd, 3)
        const engine = at(etcd.client("operator"))
        const journal = yield* process(etcd.client("candidate"), prefix)
        const leads = yield* Scope.make()
        yield* Scope.extend(journal.campaign(stream, candidate), leads)
        expect((yield* Effect.flip(Effect.scoped(reserveEtcdStream(engine, stream, "there")))).message).toMatch(/is led .*Stop all candidates/)
        yield* Scope.close(leads, Exit.void)

        const interrupted = yield* Scope.make()
        yield* Scope.extend(reserveEtcdStream(engine, stream, "there"), interrupted)
        const waiting = yield* Effect.fork(Effect.scoped(journal.campaign(stream, candidate)))
        yield* Effect.sleep(30_000)
        expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
        yield* Scope.close(interrupted, Exit.void)
        expect((yield* Fiber.join(waiting)).end).toBe(3)

        yield* Effect.scoped(Effect.flatMap(reserveEtcdStream(engine, stream, "there"), ({ keep }) => keep))
        // Again, after the process that kept it was killed.
        yield* Effect.scoped(Effect.flatMap(reserveEtcdStream(engine, stream, "/data/leader"), ({ done }) => done))
        expect(yield* Effect.flip(Effect.scoped(journal.campaign(stream, candidate)))).toMatchObject({
          reason: "corrupt",
          message: expect.stringMatching(/was moved from .* to \/data\/leader\. Start this node on the journal there/)
        })
      })
    ))
})

describe("an export", () => {
  const exported = (path: string, images: ReadonlyArray<StreamImage>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* writeExport(path, crc32c)
        yield* Effect.forEach(images, file.write)
        yield* file.finish
      })
    )
  const whole = (path: string) => Effect.scoped(Effect.flatMap(openExport(path, crc32c), ({ read }) => Effect.flatMap(read(stream), digestOf)))

  test("has the stream byte for byte; a bit that flips, a file that is cut off, and another file are refused before anything is read", () =>
    run(
      Effect.gen(function* () {
        const etcd = new SimulatedEtcd()
        yield* filled(etcd, 60, 100)
        const image = yield* readEtcdStream(at(etcd.client("reader")), stream)
        const path = join(directory, "journal")
        yield* exported(path, [image])
        expect(existsSync(`${path}.partial`)).toBe(false)
        expect(yield* whole(path)).toEqual(yield* digestOf(image))
        expect((yield* Effect.flip(exported(path, [image]))).message).toMatch(/EEXIST/)

        const bytes = readFileSync(path)
        const damaged = join(directory, "damaged")
        const refusal = (content: Uint8Array) => {
          writeFileSync(damaged, content)
          return Effect.map(Effect.flip(whole(damaged)), ({ message, reason }) => `${reason} ${message}`)
        }
        for (let n = 0; n < 40; n++) {
          const flipped = Buffer.from(bytes)
          const at = Math.floor((n * bytes.length) / 40)
          flipped[at] = (flipped[at] as number) ^ (1 << (n % 8))
          expect(yield* refusal(flipped)).toMatch(/^corrupt .*(is damaged or cut off at byte|is no export)/)
          expect(yield* refusal(bytes.subarray(0, at))).toMatch(/^corrupt .*(is damaged or cut off at byte|is no export|has no end)/)
        }
        expect(yield* refusal(new TextEncoder().encode("another file"))).toMatch(/is no export of a journal/)
      })
    ))

  test("that was interrupted has another name, and the next one begins anew", () =>
    run(
      Effect.gen(function* () {
        const etcd = new SimulatedEtcd()
        yield* filled(etcd, 3, 100)
        const image = yield* readEtcdStream(at(etcd.client("reader")), stream)
        const path = join(directory, "interrupted")
        yield* Effect.scoped(Effect.flatMap(writeExport(path, crc32c), ({ write }) => write(image)))
        expect(existsSync(path)).toBe(false)
        expect(yield* Effect.flip(whole(`${path}.partial`))).toMatchObject({ message: expect.stringContaining("has no end: the export was interrupted") })
        yield* exported(path, [image])
        expect(yield* whole(path)).toEqual(yield* digestOf(image))
        const indexes: Array<number> = []
        const read = Effect.flatMap(openExport(path, crc32c), (file) => file.read(stream))
        yield* Effect.flatMap(read, (found) =>
          eachBatches(found, (batches) => Effect.sync(() => void indexes.push(...batches.map(({ baseOffset }) => baseOffset))))
        )
        expect(indexes).toEqual([0, 1, 2])
      })
    ))
})
