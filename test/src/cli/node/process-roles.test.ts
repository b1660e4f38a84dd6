import { describe, expect, test } from "bun:test"
import { Effect, Either, Option } from "effect"
import { defaultNodeConfig, type NodeConfig } from "../../../../domain/kernel/config.ts"
import { checkRoles, leaderOf } from "../../../../src/cli/node/process-roles.ts"

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
    Either.match(Effect.runSync(Effect.either(leaderOf(option, { ...defaultNodeConfig, ...config }))), {
      onLeft: ({ message }) => message,
      onRight: (address) => address
    })
  test("the option goes before the settings, bootstrap servers before voters, and the first is taken", () => {
    const voters = { "controller.quorum.voters": "1@a:1,2@b:2" }
    expect(found(Option.some("x:9"), voters)).toEqual({ host: "x", port: 9 })
    expect(found(Option.none(), voters)).toEqual({ host: "a", port: 1 })
    expect(found(Option.none(), { ...voters, "controller.quorum.bootstrap.servers": "[::1]:3,d:4" })).toEqual({ host: "::1", port: 3 })
  })
  test("must be said somewhere, as an address", () => {
    expect(found(Option.none(), {})).toContain("--leader HOST:PORT, or controller.quorum.bootstrap.servers")
    expect(found(Option.none(), { "controller.quorum.voters": "1@nowhere" })).toContain("controller.quorum.voters nowhere: expected HOST:PORT")
  })
})
