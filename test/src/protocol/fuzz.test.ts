import { expect, test } from "bun:test"
import { Either } from "effect"
import { decode, decodeRequest, encode } from "../../../src/protocol/codec/compile.ts"
import { DecodeError } from "../../../src/protocol/codec/decode-error.ts"
import { decodeRequestHeader, decodeResponseFrame, requestFrame, responseFrame } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { apiByKey } from "../../../src/protocol/message/registry.ts"
import type { AnyApi, Schema } from "../../../src/protocol/type/wire.ts"
import { messagesFile, readLines } from "../../conformance/lines.ts"
import type { MessageVector } from "../../conformance/message-vectors.ts"
import { type Draw, mutations, seeded } from "./mutate.ts"

const count = Number(process.env["FRANZ_FUZZ_COUNT"] ?? 1_000_000)
const seed = Number(process.env["FRANZ_FUZZ_SEED"] ?? 1)

/** A whole frame without its length prefix, header included: what wire hands to the codec. */
interface Frame {
  readonly name: string
  readonly api: AnyApi
  readonly kind: "request" | "response"
  readonly version: number
  readonly bytes: Uint8Array
}

const frameOf = ({ name, apiKey, kind, version, hex }: MessageVector): ReadonlyArray<Frame> => {
  const api = apiByKey(apiKey ?? -1)
  if (api === undefined || kind === "header") return []
  const value = Either.getOrThrow(decode(api[kind], version, Uint8Array.fromHex(hex))) as never
  const chunks = kind === "request" ? requestFrame(api, version, { correlationId: 7, clientId: "fuzz" }, value) : responseFrame(api, version, 7, value)
  return [{ name, api, kind, version, bytes: joined(chunks).slice(4) }]
}
const frames = readLines<MessageVector>(messagesFile).flatMap(({ value }) => frameOf(value))

/** Reads the frame as a node would that expects this API: what comes out is a value or a DecodeError. */
const read = ({ api, kind, version }: Frame, bytes: Uint8Array): Either.Either<unknown, unknown> =>
  kind === "response"
    ? Either.map(decodeResponseFrame(api, version, bytes), ({ value }) => value)
    : Either.flatMap(decodeRequestHeader(bytes), ({ bodyAt }) => decodeRequest(api, version, bytes, bodyAt))

const mutate = (frame: Frame, draw: Draw): { readonly spoiled: Uint8Array; readonly by: string } => {
  const names = Object.keys(mutations)
  const other = frames[draw(frames.length)] as Frame
  let spoiled = frame.bytes
  const by: Array<string> = []
  for (let rounds = 1 + draw(3); rounds > 0; rounds--) {
    const name = names[draw(names.length)] as string
    spoiled = mutations[name]?.(spoiled, draw, other.bytes) ?? spoiled
    by.push(name)
  }
  return { spoiled, by: by.join(", ") }
}

/** What is wrong with how this frame was taken; undefined for a DecodeError, and for a value that can be written and read again. */
const complaint = (frame: Frame, spoiled: Uint8Array): string | undefined => {
  try {
    const result = read(frame, spoiled)
    if (Either.isLeft(result)) return result.left instanceof DecodeError ? undefined : `not a DecodeError: ${String(result.left)}`
    const schema = frame.api[frame.kind] as Schema<unknown, unknown>
    const again = decode(schema, frame.version, joined(encode(schema, frame.version, result.right)))
    return Either.isRight(again) ? undefined : `what was read cannot be read again: ${again.left.message}`
  } catch (cause) {
    return `thrown: ${String(cause)}`
  }
}

test(`${count} spoiled frames give values or DecodeErrors and nothing else (FRANZ_FUZZ_SEED=${seed})`, () => {
  const draw = seeded(seed)
  const complaints: Array<string> = []
  for (let index = 0; index < count && complaints.length < 5; index++) {
    const frame = frames[draw(frames.length)] as Frame
    const { spoiled, by } = mutate(frame, draw)
    const wrong = complaint(frame, spoiled)
    if (wrong !== undefined) complaints.push(`frame ${index}, ${frame.name} version ${frame.version}, ${by}, ${spoiled.toHex()}: ${wrong}`)
  }
  expect(complaints).toEqual([])
}, 600_000)
