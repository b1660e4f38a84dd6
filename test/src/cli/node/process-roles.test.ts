import { describe, expect, test } from "bun:test"
import { Effect, Either, Option } from "effect"
import { defaultNodeConfig, type NodeConfig } from "../../../../domain/kernel/config.ts"
import { candidatesOf, checkRoles, leadersOf } from "../../../../src/cli/node/process-roles.ts"

const wanted = (roles: Parameters<typeof checkRoles>[0], said: string) =>
  Either.match(Effect.runSync(Effect.either(checkRoles(roles, { ...defaultNodeConfig, "process.roles": said }))), {
    onLeft: ({ exit, message }) => `${exit}: ${message}`,
    onRight: () => "starts"
  })

describe("process.roles", () => {
  test.each([
    ["broker,controller", ""],
    ["broker,controller", "controller,broker"],
    ["controller", "controller"],
    ["broker", "broker"]
  ] as const)("%s is started where the settings say '%s'", (roles, said) => expect(wanted(roles, said)).toBe("starts"))
  test("of another command ends the start, and names that command", () => {
    expect(wanted("broker,controller", "broker")).toBe(
      "config: process.roles=broker: franz up starts broker,controller. Use franz broker (with --leader HOST:PORT, or controller.quorum.bootstrap.servers), or remove process.roles."
    )
    expect(wanted("broker", "broker,controller")).toContain("Use franz up, or remove process.roles.")
    expect(wanted("broker,controller", "controller")).toContain("Use franz brokerlead")
  })
})

describe("where a broker's leader is", () => {
  const found = (option: Option.Option<string>, config: Partial<NodeConfig>) =>
    Either.match(Effect.runSync(Effect.either(leadersOf(option, { ...defaultNodeConfig, ...config }))), {
      onLeft: ({ message }) => message,
      onRight: ({ leader, otherLeaders }) => [leader, ...(otherLeaders ?? [])]
    })
  test("the option goes before the settings, bootstrap servers before voters, and all candidates are taken", () => {
    const voters = { "controller.quorum.voters": "1@a:1,2@b:2" }
    const [a, b] = [
      { host: "a", port: 1 },
      { host: "b", port: 2 }
    ]
    expect(found(Option.some("x:9"), voters)).toEqual([{ host: "x", port: 9 }])
    expect(found(Option.some("a:1, b:2"), {})).toEqual([a, b])
    expect(found(Option.none(), voters)).toEqual([a, b])
    expect(found(Option.none(), { ...voters, "controller.quorum.bootstrap.servers": "[::1]:3,b:2" })).toEqual([{ host: "::1", port: 3 }, b])
  })
  test("for the brokers of a process with both roles, they are those of the settings, and none where its journal is its own", () => {
    const shared = { "franz.journal": "etcd://h:2379/franz", "controller.quorum.bootstrap.servers": "a:1,b:2" }
    const candidates = (config: Partial<NodeConfig>, idByDefault = false, engine: "files" | "etcd" = "files") =>
      Either.match(Effect.runSync(Effect.either(candidatesOf({ config: { ...defaultNodeConfig, ...config }, idByDefault }, engine))), {
        onLeft: ({ exit, message }) => `${exit}: ${message}`,
        onRight: (found) => found
      })
    expect(candidates({}, true)).toEqual([])
    expect(candidates(shared)).toEqual([
      { host: "a", port: 1 },
      { host: "b", port: 2 }
    ])
    expect(candidates({ "controller.quorum.bootstrap.servers": "a:1" })).toEqual([])
    expect(candidates({ "controller.quorum.bootstrap.servers": "a:1" }, true, "etcd")).toEqual([{ host: "a", port: 1 }])
    expect(candidates({}, true, "etcd")).toEqual([])
    expect(candidates(shared, true)).toContain("config: franz.journal=etcd://h:2379/franz: node.id must be set")
    expect(candidates({ "franz.journal": "etcd://h:2379/franz" })).toContain("controller.quorum.bootstrap.servers must name HOST:PORT of each candidate")
    expect(candidates(shared, false, "etcd")).toContain("--engine etcd starts an etcd of its own. Leave one of the two out.")
  })
  test("must be said somewhere, as an address", () => {
    expect(found(Option.none(), {})).toContain("--leader HOST:PORT, or controller.quorum.bootstrap.servers")
    expect(found(Option.some(""), {})).toContain("--leader : expected HOST:PORT")
    expect(found(Option.none(), { "controller.quorum.voters": "1@nowhere" })).toContain("controller.quorum.voters nowhere: expected HOST:PORT")
  })
})
