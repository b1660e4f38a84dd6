import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { describeFrameFault, describeResponseFault } from "../../../../src/wire/connection/frame-fault.ts"
import { Framer, isFrame } from "../../../../src/wire/connection/framer.ts"

const bytesMax = 1_000_000
const framed = (frames: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = Buffer.alloc(frames.reduce((sum, { length }) => sum + 4 + length, 0))
  let at = 0
  for (const frame of frames) {
    at = out.writeInt32BE(frame.length, at)
    out.set(frame, at)
    at += frame.length
  }
  return new Uint8Array(out)
}
const read = (framer: Framer): Array<Uint8Array> => {
  const frames: Array<Uint8Array> = []
  for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
    if (!isFrame(frame)) throw new Error(`fault ${frame.length}`)
    frames.push(frame)
  }
  return frames
}
const plain = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<ReadonlyArray<number>> => frames.map((frame) => [...frame])

describe("frames in a stream", () => {
  test("any frames, cut anywhere, come out as they were", () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 })
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), fc.constantFrom(2, 8), (sent, cuts, growth) => {
        const stream = framed(sent)
        const framer = new Framer(bytesMax, growth)
        const got: Array<Uint8Array> = []
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length] as number
          framer.push(stream.slice(at, at + size))
          at += size
          got.push(...read(framer))
        }
        expect(plain(got)).toEqual(plain(sent))
        expect(framer.announced).toBe(0)
        expect(framer.count).toBe(sent.length)
      })
    )
  })

  test("three frames, cut in two at every byte", () => {
    const sent = [new Uint8Array([1, 2, 3]), new Uint8Array(0), Uint8Array.from({ length: 20 }, (_, i) => i)]
    const stream = framed(sent)
    for (let cut = 0; cut <= stream.length; cut++) {
      const framer = new Framer(bytesMax)
      framer.push(stream.subarray(0, cut))
      const first = read(framer)
      framer.push(stream.subarray(cut))
      expect(plain([...first, ...read(framer)])).toEqual(plain(sent))
    }
  })

  test("large frames in pieces of every kind", () => {
    for (const piece of [1, 100, 4095, 4096, 4097, 16_384, 70_000]) {
      const sent = [Uint8Array.from({ length: 100_003 }, (_, i) => i * 7), new Uint8Array([9])]
      const stream = framed(sent)
      const framer = new Framer(bytesMax)
      const got: Array<Uint8Array> = []
      for (let at = 0; at < stream.length; at += piece) {
        framer.push(stream.slice(at, at + piece))
        got.push(...read(framer))
      }
      expect(got.map((frame, i) => Buffer.compare(frame, sent[i] as Uint8Array))).toEqual([0, 0])
    }
  })

  test("a frame within one chunk is a view of it", () => {
    const chunk = framed([new Uint8Array(10), new Uint8Array(20)])
    const framer = new Framer(bytesMax)
    framer.push(chunk)
    expect(read(framer).map(({ buffer, byteOffset }) => [buffer === chunk.buffer, byteOffset])).toEqual([
      [true, 4],
      [true, 18]
    ])
  })

  test("no memory is taken for a length that was only announced", () => {
    const before = process.memoryUsage().arrayBuffers
    const framers = Array.from({ length: 1000 }, () => {
      const framer = new Framer(100_000_000)
      framer.push(new Uint8Array([5, 0xf5, 0xe0, 0xff, 1, 2, 3]))
      expect(framer.next()).toBeUndefined()
      return framer
    })
    expect(framers.every(({ announced }) => announced === 0x05f5e0ff)).toBe(true)
    // A block of 256 bytes each, where 100 MB were announced.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })

  test("lengths that no frame has are faults, with the bytes that they came with", () => {
    for (const [bytes, length] of [
      [[0xff, 0xff, 0xff, 0xff, 1], -1],
      [[0x80, 0, 0, 0], -2_147_483_648],
      [[0, 0x0f, 0x42, 0x41, 7, 8], 1_000_001]
    ] as const) {
      const framer = new Framer(bytesMax)
      // Byte by byte, so that no chunk holds the whole length.
      let found: ReturnType<Framer["next"]>
      for (const byte of bytes) {
        framer.push(new Uint8Array([byte]))
        found ??= framer.next()
      }
      expect(found).toMatchObject({ length, bytesMax })
    }
    const exact = new Framer(3)
    exact.push(new Uint8Array([0, 0, 0, 3, 1, 2, 3]))
    expect(plain(read(exact))).toEqual([[1, 2, 3]])
  })
})

describe("bytes of other protocols", () => {
  const seen = (bytes: Uint8Array | string, describe = describeFrameFault): string => {
    const framer = new Framer(104_857_600)
    framer.push(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes)
    const found = framer.next()
    if (found === undefined || isFrame(found)) throw new Error("no fault")
    const { kind, message } = describe(found)
    return `${kind}: ${message}`
  }
  test("HTTP, TLS, SSH, text, lengths", () => {
    expect(seen("GET /metrics HTTP/1.1\r\nHost: x")).toBe("http: looks like an HTTP request (GET /metrics HTTP/1.1): this port speaks the Kafka protocol")
    expect(seen("PRI * HTTP/2.0\r\n\r\nSM\r\n")).toContain("http: ")
    expect(seen(new Uint8Array([0x16, 3, 1, 2, 0, 1]))).toContain("tls: looks like a TLS handshake")
    expect(seen("SSH-2.0-OpenSSH_9")).toContain("ssh: ")
    expect(seen("hello, is a server here?")).toBe(
      "oversized: looks like text (hello, is a server here?): this port speaks the Kafka protocol. As a length it would be 1751477356 bytes, over socket.request.max.bytes=104857600"
    )
    expect(seen(new Uint8Array([0x7f, 0xff, 0xff, 0xff]))).toBe("oversized: announces a request of 2147483647 bytes, over socket.request.max.bytes=104857600")
    expect(seen(new Uint8Array([0xff, 0, 0, 1]))).toBe("garbage: announces a request of -16777215 bytes: this is not the Kafka protocol")
  })
  test("as responses", () => {
    expect(seen("HTTP/1.1 400 Bad Request\r\n", describeResponseFault)).toBe(
      "text: it responds with text (HTTP/1.1 400 Bad Request): the program at this port does not speak the Kafka protocol"
    )
    expect(seen(new Uint8Array([0xff, 0, 0, 1]), describeResponseFault)).toContain("announces a response of -16777215 bytes")
    expect(seen(new Uint8Array([0x15, 3, 3, 0]), describeResponseFault)).toContain("alert: ")
    expect(seen(new Uint8Array([0x7f, 0xff, 0xff, 0xff]), describeResponseFault)).toContain("oversized: ")
  })
})
