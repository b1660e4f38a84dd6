import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { freePort } from "../../scripts/bench/port.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { ApiVersions } from "../../src/protocol/message/18-api-versions.ts"
import { CreateTopics } from "../../src/protocol/message/19-create-topics.ts"
import { franz, franzDoes, type Node, ready, up } from "./support/franz.ts"
import { Run, root, temporaryDirectory } from "./support/process.ts"
import { RawConnection } from "./support/raw.ts"

const data = temporaryDirectory()
let node: Node
beforeAll(async () => {
  node = await up(join(data.path, "cluster"), "-X", "socket.request.max.bytes=2000000", "-X", "message.max.bytes=100000")
  await franzDoes(["topic", "create", "orders", "--leader", node.address])
})
afterAll(async () => {
  await node?.process.kill("SIGTERM")
  data.remove()
})

/** The node continues: it answers a valid request on a new connection. */
const stillAnswers = async () => {
  const connection = await RawConnection.open(node.port)
  expect((await connection.call(Metadata, 12, { topics: [] })).brokers.length).toBeGreaterThan(0)
  connection.close()
}

describe("bytes that are not a request", () => {
  const int32 = (value: number) => new Uint8Array(new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]))
  const strangers: ReadonlyArray<readonly [what: string, bytes: Uint8Array | string, says: RegExp]> = [
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", /HTTP/],
    ["a TLS greeting", new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), /TLS/],
    ["a negative length", int32(-5), /-5|negative|length/i],
    ["a length over socket.request.max.bytes", int32(2_000_001), /2000001|socket\.request\.max\.bytes/],
    ["an unknown API key", new Uint8Array([...int32(12), 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), /32767/]
  ]
  for (const [what, bytes, says] of strangers) {
    test(`${what}: the node closes the connection, logs what the bytes look like in one line, and continues`, async () => {
      const connection = await RawConnection.open(node.port)
      connection.send(bytes)
      expect((await connection.untilClosed()).length).toBe(0)
      await node.process.says(says)
      await stillAnswers()
    })
  }
  test("a connection that closes in the middle of a frame has no effect", async () => {
    const connection = await RawConnection.open(node.port)
    connection.send(new Uint8Array([0, 0, 1, 0, 0, 3]))
    connection.close()
    await stillAnswers()
  })
})

describe("versions", () => {
  test("ApiVersions of a version from the future: a version 0 answer with UNSUPPORTED_VERSION and its range (KIP-511)", async () => {
    const connection = await RawConnection.open(node.port)
    connection.send(new Uint8Array([0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 97]))
    const frame = await connection.frame()
    const view = new DataView(frame.buffer, frame.byteOffset)
    expect([view.getInt32(0), view.getInt16(4), view.getInt32(6), view.getInt16(10)]).toEqual([7, 35, 1, 18])
    expect(frame.length).toBe(16)
    connection.close()
  })
  test("only the built APIs are advertised, and Produce from version 0", async () => {
    const connection = await RawConnection.open(node.port)
    const { apiKeys } = await connection.call(ApiVersions, 3, { clientSoftwareName: "raw", clientSoftwareVersion: "1" })
    const of = (key: number) => apiKeys.find(({ apiKey }) => apiKey === key)
    expect(of(0)).toMatchObject({ minVersion: 0, maxVersion: 13 })
    expect(of(1)).toMatchObject({ minVersion: 4, maxVersion: 18 })
    for (const key of [2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 32, 37, 42, 60]) expect(of(key)).toBeDefined()
    for (const key of [24, 26, 28, 62, 63, 67, 58]) expect(of(key)).toBeUndefined()
    connection.close()
  })
})

describe("records that are refused", () => {
  const batch = (bytes = 10) =>
    encodeBatch(
      { codec: "none", records: [{ timestamp: Date.now(), key: null, value: new Uint8Array(bytes), headers: [] }] },
      { crc32c, compress: (_, part) => part }
    )
  const produce = async (records: Uint8Array, topic = "orders", acks = -1) => {
    const connection = await RawConnection.open(node.port)
    const answer = await connection.call(Produce, 11, { acks, timeoutMs: 5000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }] })
    connection.close()
    const partition = answer.responses[0]?.partitionResponses[0]
    return { error: kafkaError(partition?.errorCode ?? 0), offset: Number(partition?.baseOffset), message: partition?.errorMessage }
  }
  const spoiled = (at: number, value: number) => {
    const bytes = batch()
    bytes[at] = value
    return bytes
  }
  test("a damaged byte: CORRUPT_MESSAGE", async () => expect((await produce(spoiled(70, 99))).error).toBe("CORRUPT_MESSAGE"))
  for (const magic of [0, 1])
    test(`magic ${magic} is refused with a reason`, async () =>
      expect(await produce(spoiled(16, magic))).toMatchObject({ error: "INVALID_RECORD", message: expect.stringContaining(`${magic}`) }))
  test("half a batch", async () => expect((await produce(batch().subarray(0, 40))).error).toBe("CORRUPT_MESSAGE"))
  test("over message.max.bytes: MESSAGE_TOO_LARGE, with both sizes", async () =>
    expect(await produce(batch(100_000))).toMatchObject({ error: "MESSAGE_TOO_LARGE", message: expect.stringContaining("100000") }))
  test("acks=2: INVALID_REQUIRED_ACKS", async () => expect((await produce(batch(), "orders", 2)).error).toBe("INVALID_REQUIRED_ACKS"))
  test("an unknown topic: UNKNOWN_TOPIC_OR_PARTITION", async () => expect((await produce(batch(), "nowhere")).error).toBe("UNKNOWN_TOPIC_OR_PARTITION"))
  test("no refused batch was stored: a valid batch is the first", async () => expect(await produce(batch())).toMatchObject({ error: "NONE", offset: 0 }))
})

describe("topics that are refused", () => {
  const create = async (
    name: string,
    more: { readonly numPartitions?: number; readonly replicationFactor?: number; readonly configs?: ReadonlyArray<{ name: string; value: string }> } = {}
  ) => {
    const connection = await RawConnection.open(node.port)
    const answer = await connection.call(CreateTopics, 7, {
      topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...more }],
      timeoutMs: 5000
    })
    connection.close()
    return { error: kafkaError(answer.topics[0]?.errorCode ?? 0), message: answer.topics[0]?.errorMessage ?? "" }
  }
  test("illegal names", async () => {
    for (const name of ["", ".", "..", "a b", "a/b", "é", "x".repeat(250)]) expect((await create(name)).error).toBe("INVALID_TOPIC_EXCEPTION")
  })
  test("one that exists", async () =>
    expect(await create("orders")).toMatchObject({ error: "TOPIC_ALREADY_EXISTS", message: expect.stringContaining("orders") }))
  test("more replicas than brokers", async () => expect((await create("many", { replicationFactor: 3 })).error).toBe("INVALID_REPLICATION_FACTOR"))
  test("no partitions", async () => expect((await create("none", { numPartitions: 0 })).error).toBe("INVALID_PARTITIONS"))
  test("an unknown setting", async () => expect((await create("set", { configs: [{ name: "segment.byte", value: "1" }] })).error).toBe("INVALID_CONFIG"))
  test("a setting out of range names it, the value and the range", async () =>
    expect(await create("set", { configs: [{ name: "segment.bytes", value: "1" }] })).toMatchObject({
      error: "INVALID_CONFIG",
      message: expect.stringMatching(/segment\.bytes.*14/)
    }))
})

describe("a node that cannot start says why, what to do, and ends with its code", () => {
  const fails = async (process: Run, code: number, says: RegExp) => {
    const ended = await process.end()
    expect(`${ended.stdout}${ended.stderr}`).toMatch(says)
    expect(ended.code).toBe(code)
  }
  test("the port is in use", () => fails(franz("up", "--port", String(node.port), "--data", join(data.path, "other")), 73, new RegExp(`${node.port}.*in use`)))
  test("the data directory is held", () => fails(franz("up", "--port", "0", "--data", join(data.path, "cluster")), 73, /is in use by pid \d+/))
  test("a setting has another name", () => fails(franz("up", "-X", "num.partition=3"), 78, /num\.partitions/))
  test("the command has another name", () => fails(franz("upp"), 2, /Did you mean 'up'/))
  test("the directory belongs to another cluster", async () => {
    const [one, two] = [join(data.path, "one"), join(data.path, "two")]
    const start = async (name: string, port = "0") => ready(franz("brokerlead", "--port", port, "--data", name))
    const first = await start(one)
    const broker = franz("broker", "--id", "5", "--port", "0", "--leader", first.address, "--data", join(data.path, "five"))
    await ready(broker)
    await broker.kill("SIGTERM")
    await first.process.kill("SIGTERM")
    const second = await start(two)
    await fails(franz("broker", "--id", "5", "--port", "0", "--leader", second.address, "--data", join(data.path, "five")), 65, /cluster/)
    await second.process.kill("SIGTERM")
  })
  test("the leader is unreachable: the broker reports it, retries, and registers when the leader starts", async () => {
    const leaderData = join(data.path, "late")
    const first = await ready(franz("brokerlead", "--port", String(await freePort()), "--data", leaderData))
    await first.process.kill("SIGTERM")
    const broker = franz("broker", "--id", "6", "--port", "0", "--leader", first.address, "--data", join(data.path, "six"))
    await broker.says(new RegExp(`${first.address}`))
    const again = await ready(franz("brokerlead", "--port", String(first.port), "--data", leaderData))
    await ready(broker)
    await broker.kill("SIGTERM")
    await again.process.kill("SIGTERM")
  })
  test("a client whose leader accepts and never responds: the address and the timeout", async () => {
    const mute = createServer(() => undefined)
    await new Promise<void>((listening) => mute.listen(0, "127.0.0.1", listening))
    const address = `127.0.0.1:${(mute.address() as AddressInfo).port}`
    await fails(
      franz("topic", "list", "--leader", address),
      69,
      new RegExp(`cluster unreachable: no node responds at ${address} \\(no response within \\d+ ms\\)[^]*--leader HOST:PORT`)
    )
    mute.close()
  })
  test("a client whose leader is unreachable", () =>
    fails(Run.start(process.execPath, [join(root, "src/programs/franz.ts"), "topic", "list", "--leader", "127.0.0.1:1"]), 69, /127\.0\.0\.1:1/))
})

describe("a disk that is full, or read-only", () => {
  const directory = join(data.path, "small")
  const mounted = () => {
    mkdirSync(directory, { recursive: true })
    return spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", directory]).status === 0
  }
  test("Produce returns an error, Fetch continues, and the node accepts records again when there is room", async () => {
    if (!mounted()) {
      if (process.env.FRANZ_REQUIRE_PEERS !== undefined) throw new Error("a small file system could not be mounted")
      console.log("skipped: only root may mount a small file system")
      return
    }
    try {
      const small = await up(join(directory, "data"), "-X", "message.max.bytes=1000000")
      await franzDoes(["topic", "create", "full", "--leader", small.address])
      const connection = await RawConnection.open(small.port)
      const send = async () => {
        const records = encodeBatch(
          { codec: "none", records: [{ timestamp: Date.now(), key: null, value: new Uint8Array(500_000), headers: [] }] },
          { crc32c, compress: (_, part) => part }
        )
        const answer = await connection.call(Produce, 11, {
          acks: -1,
          timeoutMs: 30_000,
          topicData: [{ name: "full", partitionData: [{ index: 0, records }] }]
        })
        return kafkaError(answer.responses[0]?.partitionResponses[0]?.errorCode ?? 0)
      }
      const ballast = join(directory, "ballast")
      spawnSync("dd", ["if=/dev/zero", `of=${ballast}`, "bs=1M", "count=5"])
      const answers = []
      for (let sent = 0; sent < 20 && answers.at(-1) !== "KAFKA_STORAGE_ERROR"; sent++) answers.push(await send())
      expect(answers.at(-1)).toBe("KAFKA_STORAGE_ERROR")
      await small.process.says(/no space|full/i)
      const stored = answers.filter((answer) => answer === "NONE").length
      const read = (await franzDoes(["consume", "full", "--from", "start", "--exit-at-end", "--json", "--leader", small.address]))
        .split("\n")
        .filter(Boolean).length
      expect(read).toBe(stored)
      spawnSync("rm", [ballast])
      expect(await send()).toBe("NONE")
      connection.close()
      await small.process.kill("SIGTERM")
      spawnSync("mount", ["-o", "remount,ro", directory])
      const ended = await franz("up", "--port", "0", "--data", join(directory, "data")).end()
      expect(ended.stderr).toMatch(/read-only/i)
      expect(ended.code).toBe(74)
    } finally {
      spawnSync("umount", ["-l", directory])
    }
  }, 120_000)
})
