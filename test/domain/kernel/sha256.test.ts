import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import fc from "fast-check"
import { sha256 } from "../../../domain/kernel/sha256.ts"

test("any message has the platform's digest", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (message) =>
      expect(Buffer.from(sha256(message)).toString("hex")).toBe(createHash("sha256").update(message).digest("hex"))
    ),
    { numRuns: 300 }
  )
})
