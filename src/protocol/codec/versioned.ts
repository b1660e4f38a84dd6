import type { Schema } from "../type/wire.ts"
import { encodeTo } from "./compile.ts"
import { joined } from "./joined.ts"
import { Writer } from "./writer.ts"

/** A value with its version, or the type of what follows, as an int16 in front: how Kafka writes what is stored or embedded and not sent by itself. @throws EncodeError */
export const encodeVersioned = <D>(schema: Schema<unknown, D>, draft: D, version: number, prefix = version): Uint8Array => {
  const to = new Writer()
  to.int16(prefix)
  encodeTo(to, schema, version, draft)
  return joined(to.finish())
}
