import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { connectionOverrides, isNodeSetting, nodeSetting, parseSetting } from "../../../../domain/kernel/config.ts"
import type { Connection } from "../../../../src/ports/transport.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { ApiVersions } from "../../../../src/protocol/message/18-api-versions.ts"
import { BrokerRegistration } from "../../../../src/protocol/message/62-broker-registration.ts"
import { Admission, type AdmissionOptions, type AdmittedConnection } from "../../../../src/wire/admission/admission.ts"
import { OwnLinks } from "../../../../src/wire/admission/own-links.ts"
import { connect } from "../../../../src/wire/link.ts"
import type { Session } from "../../../../src/wire/session.ts"
import { sessionOn } from "../context.ts"
import { beat, eventually, heartbeat, linkOptions, onStage, reply, transports } from "../harness.ts"

const here = "192.0.2.1"
let port = 40_000
const from = (host: string): Connection => ({
  id: ++port,
  remote: { host, port },
  local: { host: here, port: 9092 },
  write: () => 0,
  release: () => {},
  pause: () => {},
  resume: () => {},
  end: () => {},
  destroy: () => {}
})
const setUp = (options: AdmissionOptions) => {
  const links = new OwnLinks()
  const admission = new Admission(options, links)
  const closed: Array<string> = []
  /** One that has said nothing yet; it leaves when it is closed. */
  const enter = (connection: Connection, session = sessionOn()): AdmittedConnection => {
    const admitted: AdmittedConnection = admission.enter(connection, session, (reason) => {
      closed.push(reason)
      admitted.leave()
    })
    return admitted
  }
  /** One that has sent its first request; undefined when it was closed for that. */
  const open = (host: string, connection = from(host), session = sessionOn()): AdmittedConnection | undefined => {
    const admitted = enter(connection, session)
    admitted.begun()
    return admitted.refuses(ApiVersions.key) || admitted.refuses(Metadata.key) ? undefined : admitted
  }
  /** The same for a connection on which a broker has registered. */
  const openBroker = (id: number, host: string): { readonly admitted: AdmittedConnection | undefined; readonly session: Session } => {
    const session = sessionOn()
    session.bind({ id, epoch: 1 }, () => {})
    return { admitted: open(host, from(host), session), session }
  }
  return { admission, closed, links, enter, open, openBroker }
}

describe("which connections stay", () => {
  test("as many as max.connections says; one that leaves makes room for another", () => {
    const { closed, open } = setUp({ connectionsMax: 2 })
    const first = open("198.51.100.1")
    expect([first, open("198.51.100.2"), open("198.51.100.3")].map((admitted) => admitted !== undefined)).toEqual([true, true, false])
    expect(closed).toEqual(["is one over max.connections=2"])
    first?.leave()
    expect(open("198.51.100.3")).toBeDefined()
  })

  test("as many of one address as max.connections.per.ip says, and its overrides", () => {
    const overrides = connectionOverrides("198.51.100.9:3, [2001:db8::1]:0")
    const { closed, open } = setUp({ connectionsMax: 100, connectionsPerHostMax: (host) => overrides.get(host) ?? 1 })
    const opened = (host: string) => [1, 2, 3, 4].filter(() => open(host) !== undefined).length
    expect([opened("198.51.100.1"), opened("198.51.100.9"), opened("2001:db8::1"), opened("::ffff:198.51.100.2")]).toEqual([1, 3, 0, 1])
    expect(open("198.51.100.2")).toBeUndefined()
    expect(closed[0]).toBe("is one over the 1 connections that max.connections.per.ip allows to 198.51.100.1")
  })

  test("some more of this machine, by whatever address", () => {
    const { open } = setUp({ connectionsMax: 0, localConnectionsReserved: 2 })
    expect(open("198.51.100.1")).toBeUndefined()
    const local = [open("127.0.0.1"), open(here), open("::1")]
    expect(local.map((admitted) => admitted !== undefined)).toEqual([true, true, false])
    local[0]?.leave()
    expect(open("::ffff:127.0.0.1")).toBeDefined()
  })

  test("the links of this process, which do not count; it is known by its socket, perhaps only when its first bytes come", () => {
    const { enter, links, open } = setUp({ connectionsMax: 1 })
    const own = from("127.0.0.1")
    const admitted = enter(own)
    const leave = links.add({ local: own.remote })
    admitted.begun()
    expect(admitted.isLink).toBe(true)
    expect([open("198.51.100.1"), open("198.51.100.2")].map((each) => each !== undefined)).toEqual([true, false])
    const another = from("127.0.0.1")
    expect(open("127.0.0.1", another)).toBeUndefined()
    links.add({ local: another.remote })
    expect(open("127.0.0.1", another)).toBeDefined()
    leave()
    expect(open("127.0.0.1", own)).toBeUndefined()
  })

  test("eight of each broker that has shown that they are its own; without its registration they count again", () => {
    const { admission, enter, open, openBroker } = setUp({ connectionsMax: 1 })
    const links = Array.from({ length: 8 }, () => openBroker(7, "198.51.100.1"))
    expect(links.every(({ admitted }) => admitted?.isNode === true)).toBe(true)
    expect(open("198.51.100.9")).toBeDefined()
    expect([openBroker(7, "198.51.100.1").admitted, openBroker(8, "198.51.100.1").admitted].map((admitted) => admitted !== undefined)).toEqual([false, true])
    links[0]?.admitted?.leave()
    const session = sessionOn()
    const late = enter(from("198.51.100.1"), session)
    expect([late.refuses(ApiVersions.key), late.refuses(BrokerRegistration.key)]).toEqual([false, false])
    session.bind({ id: 7, epoch: 1 }, () => {})
    expect([late.turn(), late.isNode]).toEqual([false, true])
    session.unbind()
    expect([late.turn(), late.isNode]).toEqual([false, false])
    for (const { admitted } of links.slice(1)) admitted?.leave()
    late.leave()
    expect(admission.brokerEnters(7)).toBe(true)
  })

  test("of connections that are over the bounds and silent, it keeps few, and for two seconds", () => {
    const { closed, enter, open, openBroker } = setUp({ connectionsMax: 1 })
    open("198.51.100.1")
    const silent = Array.from({ length: 70 }, () => enter(from("198.51.100.2")))
    expect(closed.length).toBe(6)
    const last = silent[69] as AdmittedConnection
    expect([last.turn(), last.turn(), last.turn()]).toEqual([false, false, true])
    expect(closed.at(-1)).toBe("is one over max.connections=1")
    expect(openBroker(1, "198.51.100.3").admitted).toBeDefined()
  })

  test("after all connections have closed, none is counted", () => {
    const coming = fc.record({
      host: fc.constantFrom("127.0.0.1", here, "198.51.100.1", "198.51.100.2"),
      broker: fc.option(fc.nat(2), { nil: undefined }),
      isOwn: fc.boolean(),
      leaves: fc.nat(20)
    })
    fc.assert(
      fc.property(fc.array(coming, { maxLength: 80 }), (all) => {
        const { links, open } = setUp({ connectionsMax: 3, connectionsPerHostMax: () => 2, localConnectionsReserved: 2 })
        const there: Array<AdmittedConnection> = []
        for (const { broker, host, isOwn, leaves } of all) {
          const connection = from(host)
          if (isOwn) links.add({ local: connection.remote })
          const session = sessionOn()
          if (broker !== undefined) session.bind({ id: broker, epoch: 1 }, () => {})
          const admitted = open(host, connection, session)
          expect(admitted !== undefined || !isOwn).toBe(true)
          if (admitted !== undefined) there.push(admitted)
          const [leaving] = there.splice(leaves, 1)
          if (leaves % 3 === 0) {
            session.unbind()
            leaving?.turn()
          }
          if (leaving === undefined || !leaving.isUndecided) leaving?.leave()
        }
        for (const admitted of there) admitted.leave()
        const opened = ["198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.2", "127.0.0.1", "127.0.0.1", "127.0.0.1"].map(
          (host) => open(host) !== undefined
        )
        expect(opened).toEqual([true, true, true, false, true, true, false])
      })
    )
  })
})

test("max.connections.per.ip.overrides is a list of addresses with a count", () => {
  const name = "max.connections.per.ip.overrides"
  const reads = (text: string) => isNodeSetting(name) && parseSetting(name, nodeSetting(name), text)._tag === "Right"
  expect(["", "127.0.0.1:5", "127.0.0.1:5, ::1:7", "[2001:db8::1]:0,localhost:3"].map(reads)).toEqual([true, true, true, true])
  expect(["127.0.0.1", "127.0.0.1:-1", "example.org:4", ":5", "127.0.0.1:5;::1:5"].map(reads)).toEqual([false, false, false, false, false])
  expect([...connectionOverrides("[2001:DB8::1]:4,localhost:3,::1:7")]).toEqual([
    ["2001:db8::1", 4],
    ["127.0.0.1", 3],
    ["::1", 7]
  ])
})

for (const [name, layer] of transports)
  test(`a link of the same process is accepted when other clients have taken every connection, ${name}`, () =>
    onStage(
      layer(),
      [heartbeat(reply)],
      ({ address, raw }) =>
        Effect.gen(function* () {
          const strangers = [yield* raw, yield* raw]
          for (const stranger of strangers) stranger.ask(Heartbeat, 4, beat(1))
          yield* eventually("both are answered", () => strangers.every(({ frames }) => frames.length === 1))
          const third = yield* raw
          third.ask(Heartbeat, 4, beat(1))
          yield* eventually("the third is closed", () => third.closedBy !== undefined)
          const link = yield* connect(address, linkOptions)
          expect((yield* link.call(Heartbeat, beat(5))).throttleTimeMs).toBe(5)
          expect(strangers.map(({ closedBy }) => closedBy)).toEqual([undefined, undefined])
        }),
      { connectionsMax: 2 }
    ))
