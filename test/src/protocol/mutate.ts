/** mulberry32: 32 bits of state, so that one number printed by a failing run repeats it. Answers 0 to `below` - 1. */
export type Draw = (below: number) => number
export const seeded = (seed: number): Draw => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
}

/** A way to spoil bytes: answers with spoiled ones, and leaves what it was given as it was. */
export type Mutation = (bytes: Uint8Array, draw: Draw, other: Uint8Array) => Uint8Array

const overwritten = (bytes: Uint8Array, at: number, by: Uint8Array): Uint8Array => {
  const spoiled = bytes.slice()
  spoiled.set(by.subarray(0, Math.max(0, spoiled.length - at)), at)
  return spoiled
}
const inserted = (bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array => {
  const spoiled = new Uint8Array(bytes.length + piece.length)
  spoiled.set(bytes.subarray(0, at))
  spoiled.set(piece, at)
  spoiled.set(bytes.subarray(at), at + piece.length)
  return spoiled
}
const pick = <A>(from: ReadonlyArray<A>, draw: Draw): A => from[draw(from.length)] as A

const lengths32 = [0, 1, -1, -2, 0x7fffffff, -0x80000000, 0xffff].map((length) => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, length)
  return bytes
})
const lengths16 = [0, -1, -2, 0x7fff, -0x8000].map((length) => {
  const bytes = new Uint8Array(2)
  new DataView(bytes.buffer).setInt16(0, length)
  return bytes
})
const varints = [
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f),
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x00)
]
const badUtf8 = [
  Uint8Array.of(0xff),
  Uint8Array.of(0xc0, 0xaf),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0xf4, 0x90, 0x80, 0x80),
  Uint8Array.of(0xe2, 0x82),
  Uint8Array.of(0x80)
]

export const mutations: { readonly [name: string]: Mutation } = {
  bitFlip: (bytes, draw) => {
    const spoiled = bytes.slice()
    for (let flips = 1 + draw(4); flips > 0 && spoiled.length > 0; flips--) {
      const at = draw(spoiled.length)
      spoiled[at] = (spoiled[at] ?? 0) ^ (1 << draw(8))
    }
    return spoiled
  },
  cut: (bytes, draw) => bytes.slice(0, draw(bytes.length + 1)),
  splice: (bytes, draw, other) => {
    const from = draw(other.length + 1)
    const piece = other.subarray(from, from + draw(48))
    return draw(2) === 0 ? inserted(bytes, draw(bytes.length + 1), piece) : overwritten(bytes, draw(bytes.length + 1), piece)
  },
  length32: (bytes, draw) => overwritten(bytes, draw(bytes.length + 1), pick(lengths32, draw)),
  length16: (bytes, draw) => overwritten(bytes, draw(bytes.length + 1), pick(lengths16, draw)),
  varint: (bytes, draw) => overwritten(bytes, draw(bytes.length + 1), pick(varints, draw)),
  /** A count of tagged fields, and then as many empty ones as the flood has. */
  tagFlood: (bytes, draw) => {
    const tags = 1 + draw(120)
    const flood = new Uint8Array(1 + tags * 2)
    flood[0] = tags
    for (let tag = 0; tag < tags; tag++) flood[1 + tag * 2] = draw(2) === 0 ? tag : 0
    return draw(2) === 0 ? inserted(bytes, bytes.length === 0 ? 0 : bytes.length - 1, flood) : overwritten(bytes, draw(bytes.length + 1), flood)
  },
  badUtf8: (bytes, draw) => overwritten(bytes, draw(bytes.length + 1), pick(badUtf8, draw)),
  noise: (bytes, draw) => bytes.map((byte) => (draw(8) === 0 ? draw(256) : byte))
}
