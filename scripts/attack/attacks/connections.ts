/** Attacks by connections: many, slow, silent, and those that speak another language. */
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { seeded } from "../../../test/src/protocol/mutate.ts"
import { type Attack, scaled } from "../attack.ts"
import { pause, Raw, requestBytes } from "../raw.ts"

const manyConnections: Attack = {
  name: "many-connections",
  about: "as many connections as the node takes, from one address, each with a request that never comes whole",
  settings: ["max.connections=2000"],
  run: async (aim) => {
    const raws: Array<Raw> = []
    // Another address of the loopback network than the honest clients have: some connections are kept for those that come from the machine itself.
    while (aim.goesOn() && raws.length < scaled(aim, 6000)) {
      const opened = await Promise.all(Array.from({ length: 50 }, () => Raw.open(aim.port, { host: "127.0.0.2" })))
      for (const raw of opened) {
        if (raw === undefined) continue
        raws.push(raw)
        await raw.send(Uint8Array.of(0, 0, 1, 0, 0))
      }
    }
    while (aim.goesOn()) await pause(50)
    const open = raws.filter(({ isOpen }) => isOpen).length
    for (const raw of raws) raw.close()
    return `${raws.length} connections were made, ${open} were open at the end`
  }
}

const strangers = [
  "GET / HTTP/1.1\r\nHost: kafka\r\n\r\n",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
  "SSH-2.0-OpenSSH_9.2\r\n",
  "\u0000\u0000\u0000\u0000",
  "\u007f\u00ff\u00ff\u00ff",
  "\u00ff\u00ff\u00ff\u00ff",
  "*1\r\n$4\r\nPING\r\n",
  "\u001b]0;title\u0007\u001b[31m"
].map((text) => Uint8Array.from(text, (char) => char.charCodeAt(0)))

const otherLanguages: Attack = {
  name: "other-languages",
  about: "HTTP, TLS, SSH, Redis, control characters and random bytes, whole and in pieces, on connections that come and go",
  run: async (aim) => {
    const draw = seeded(aim.seed)
    let sent = 0
    for (; sent < scaled(aim, 20_000) && aim.goesOn(); sent++) {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) continue
      const bytes = sent % 3 === 0 ? Uint8Array.from({ length: 1 + draw(300) }, () => draw(256)) : (strangers[draw(strangers.length)] as Uint8Array)
      const cut = draw(bytes.length)
      await raw.send(bytes.subarray(0, cut))
      await raw.send(bytes.subarray(cut))
      if (sent % 100 === 0) await pause(5)
      raw.close()
    }
    return `${sent} connections`
  }
}

const slowSenders: Attack = {
  name: "slow-senders",
  about: "connections that send a request byte by byte",
  run: async (aim) => {
    const frame = requestBytes(ApiVersions, 0, {})
    const opened = await Promise.all(Array.from({ length: scaled(aim, 1000) }, () => Raw.open(aim.port)))
    const raws = opened.filter((raw) => raw !== undefined)
    for (let at = 0; at < frame.length && aim.goesOn(); at++) {
      for (const raw of raws) void raw.send(frame.subarray(at, at + 1))
      await pause(20)
    }
    while (aim.goesOn()) await pause(50)
    for (const raw of raws) raw.close()
    return `${raws.length} connections`
  }
}

export const connectionAttacks: ReadonlyArray<Attack> = [manyConnections, otherLanguages, slowSenders]
