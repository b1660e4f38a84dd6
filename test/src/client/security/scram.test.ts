import { describe, expect, test } from "bun:test"
import { createHash, createHmac, pbkdf2Sync } from "node:crypto"
import { Effect } from "effect"
import { layer } from "../../../../adapters/cryptography/node.ts"
import { iterationsMax, iterationsMin, scram } from "../../../../src/client/security/scram.ts"
import { Cryptography, type HashName } from "../../../../src/ports/cryptography.ts"

const clientNonce = "rOprNGfwEbeRWgbNEkqO"
const nonce = `${clientNonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`
const first = `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`

/** The exchange of RFC 7677, section 3; the values for SHA-512 are computed by Python's hashlib from the same inputs. */
const vectors: Readonly<Record<HashName, { readonly proof: string; readonly signature: string }>> = {
  "SHA-256": { proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
  "SHA-512": {
    proof: "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
    signature: "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="
  }
}

/** Authenticates with a node that sends these messages; returns the outcome and what the client sent. */
const exchanged = (answers: ReadonlyArray<string>, options: { readonly hash?: HashName; readonly nonce?: string; readonly username?: string } = {}) => {
  const sent: Array<string> = []
  const run = Effect.gen(function* () {
    const crypto = yield* Cryptography
    return yield* Effect.either(
      scram({
        crypto,
        hash: options.hash ?? "SHA-256",
        username: options.username ?? "user",
        password: "pencil",
        nonce: options.nonce ?? clientNonce,
        exchange: (message) =>
          Effect.sync(() => {
            sent.push(new TextDecoder().decode(message))
            return new TextEncoder().encode(answers[sent.length - 1] ?? "")
          })
      })
    )
  })
  return Effect.runPromise(Effect.provide(run, layer)).then((outcome) => ({ sent, reason: outcome._tag === "Left" ? outcome.left : undefined }))
}

describe("SCRAM", () => {
  for (const hash of ["SHA-256", "SHA-512"] as const) {
    test(`the exchange of RFC 7677 by ${hash}`, async () => {
      const { proof, signature } = vectors[hash]
      const { reason, sent } = await exchanged([first, `v=${signature}`], { hash })
      expect(sent).toEqual([`n,,n=user,r=${clientNonce}`, `c=biws,r=${nonce},p=${proof}`])
      expect(reason).toBeUndefined()
    })
  }

  test("a node that does not know the password is found out", async () => {
    const wrong = vectors["SHA-256"].signature.replace("6", "7")
    for (const last of [`v=${wrong}`, "v=", "v=****", "", "x=1", `v=${vectors["SHA-256"].signature.slice(0, 20)}`]) {
      expect((await exchanged([first, last])).reason).toContain("did not prove that it knows the password")
    }
  })

  test("nothing of the password is sent to a node that asks for too few or too many iterations", async () => {
    for (const count of ["1", "0", "-5", "4095", String(iterationsMax + 1), "99999999999", "4096x", "", "1e4"]) {
      const { reason, sent } = await exchanged([`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${count}`])
      expect(reason).toContain("iterations")
      expect(sent).toHaveLength(1)
    }
    expect(iterationsMin).toBe(4096)
  })

  test("a first message that is not the answer to this client's ends the exchange", async () => {
    const cases = [
      ["r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"],
      [`r=${clientNonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, "nonce"],
      [`r=${nonce},s=,i=4096`, "salt"],
      [`r=${nonce},s=*,i=4096`, "salt"],
      [`m=ext,${first}`, "extension"],
      ["e=other-error", "other-error"],
      ["", "nonce"]
    ] as const
    for (const [message, reason] of cases) expect((await exchanged([message])).reason).toContain(reason)
  })

  test("names with = and , are escaped", async () => {
    expect((await exchanged(["e=no"], { username: "a=b,c" })).sent[0]).toBe(`n,,n=a=3Db=2Cc,r=${clientNonce}`)
  })

  test("the platform's primitives agree with node:crypto", async () => {
    const crypto = await Effect.runPromise(Effect.provide(Cryptography, layer))
    const [key, text] = [new TextEncoder().encode("key"), new TextEncoder().encode("text")]
    for (const [hash, name, size] of [
      ["SHA-256", "sha256", 32],
      ["SHA-512", "sha512", 64]
    ] as const) {
      expect(Buffer.from(crypto.digest(hash, text))).toEqual(createHash(name).update(text).digest())
      expect(Buffer.from(crypto.hmac(hash, key, text))).toEqual(createHmac(name, key).update(text).digest())
      expect(Buffer.from(await Effect.runPromise(crypto.pbkdf2(hash, key, text, 5000)))).toEqual(pbkdf2Sync(key, text, 5000, size, name))
    }
    expect([crypto.equal(key, key.slice()), crypto.equal(key, text), crypto.equal(key, new Uint8Array(3))]).toEqual([true, false, false])
    expect(crypto.randomBytes(24)).toHaveLength(24)
    expect(crypto.randomBytes(24)).not.toEqual(crypto.randomBytes(24))
  })
})
