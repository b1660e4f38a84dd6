import { describe, expect, test } from "bun:test"
import { Schema } from "effect"
import fc from "fast-check"
import { Command, type ConfigChange } from "../../../../domain/cluster/command.ts"
import { configuredNames, resourceConfigsOf } from "../../../../domain/cluster/config/resource.ts"
import { ClusterState } from "../../../../domain/cluster/snapshot.ts"
import { type Cluster, initial } from "../../../../domain/cluster/state.ts"
import { defaultNodeConfig, type ResourceKind } from "../../../../domain/kernel/config.ts"
import { given, givenCluster } from "../support.ts"

const set = (name: string, value: string): ConfigChange => ({ name, operation: "set", value })
const change = (
  kind: ResourceKind,
  name: string,
  changes: ReadonlyArray<ConfigChange>,
  more: { readonly replace?: boolean; readonly validateOnly?: boolean } = {}
) => Command.ChangeResourceConfigs({ kind, name, node: defaultNodeConfig, changes, replace: false, validateOnly: false, ...more })
const refusal = (command: Command, state: Cluster = initial) => {
  const rejection = givenCluster(state).rejection(command)
  return rejection === undefined ? "" : `${rejection.error}: ${rejection.message}`
}

describe("settings of groups and of subscriptions", () => {
  test("are stored by name, whether the group exists or not, and are removed with the last setting", () => {
    const one = given(
      change("group", "g", [set("consumer.session.timeout.ms", "50000")]),
      change("client-metrics", "m", [set("interval.ms", "1000"), set("metrics", "*")])
    )
    expect([configuredNames(one, "group"), configuredNames(one, "client-metrics")]).toEqual([["g"], ["m"]])
    expect(resourceConfigsOf(one, "group", "g")).toEqual({ "consumer.session.timeout.ms": "50000" })
    const none = given(change("group", "g", [set("consumer.session.timeout.ms", "50000")]), change("group", "g", [], { replace: true }))
    expect([configuredNames(none, "group"), none.configCharacters]).toEqual([[], 0])
  })
  test("validateOnly changes nothing", () =>
    expect(configuredNames(given(change("group", "g", [set("consumer.session.timeout.ms", "50000")], { validateOnly: true })), "group")).toEqual([]))
  test.each([
    [
      "group",
      "g",
      "consumer.sesion.timeout.ms",
      "1",
      "INVALID_CONFIG: Unknown group config name: consumer.sesion.timeout.ms. Did you mean 'consumer.session.timeout.ms'?"
    ],
    ["group", "g", "consumer.session.timeout.ms", "44999", "greater than or equal to group.consumer.min.session.timeout.ms, which is 45000"],
    ["group", "g", "consumer.session.timeout.ms", "60001", "less than or equal to group.consumer.max.session.timeout.ms, which is 60000"],
    ["group", "g", "consumer.heartbeat.interval.ms", "15001", "less than or equal to group.consumer.max.heartbeat.interval.ms"],
    ["group", "g", "streams.num.standby.replicas", "3", "less than or equal to group.streams.max.standby.replicas, which is 2"],
    ["group", "g", "streams.num.warmup.replicas", "50", "less than or equal to group.streams.max.warmup.replicas, which is 20"],
    ["group", "g", "streams.task.offset.interval.ms", "1000", "greater than or equal to group.streams.min.task.offset.interval.ms, which is 15000"],
    ["group", "g", "share.delivery.count.limit", "11", "less than or equal to group.share.max.delivery.count.limit, which is 10"],
    ["group", "g", "share.record.lock.duration.ms", "999", "expected a whole number from 1000"],
    ["group", "g", "share.auto.offset.reset", "sometime", "expected latest, earliest, or by_duration"],
    ["group", "g", "share.isolation.level", "none", "expected read_committed or read_uncommitted"],
    ["group", "", "share.isolation.level", "read_committed", "INVALID_REQUEST: The name of a group resource has 1 to 1000 characters"],
    ["client-metrics", "m", "interval.ms", "99", "expected a whole number from 100 to 3600000"],
    ["client-metrics", "m", "match", "client=a", "expected a list of NAME=PATTERN"],
    ["client-metrics", "m", "nothing", "1", "INVALID_CONFIG: Unknown client metrics config name: nothing."]
  ] as const)("%s '%s' %s=%s is refused", (kind, name, setting, value, sentence) =>
    expect(refusal(change(kind, name, [set(setting, value)]))).toContain(sentence)
  )
  test.each(["latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S"])("share.auto.offset.reset=%s is taken", (value) =>
    expect(refusal(change("group", "g", [set("share.auto.offset.reset", value)]))).toBe("")
  )
  test("a snapshot keeps them, and an older one without them is read", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ kind: fc.constantFrom<ResourceKind>("group", "client-metrics"), name: fc.string({ minLength: 1, maxLength: 8 }) }), {
          maxLength: 6
        }),
        (things) => {
          const cluster = given(
            ...things.map(({ kind, name }) => change(kind, name, [kind === "group" ? set("share.delivery.count.limit", "6") : set("interval.ms", "500")]))
          )
          const encoded = Schema.encodeSync(ClusterState)(cluster)
          const back = Schema.decodeSync(ClusterState)(encoded)
          expect(Schema.encodeSync(ClusterState)(back)).toEqual(encoded)
          expect(back.configCharacters).toBe(cluster.configCharacters)
          expect(configuredNames(back, "group")).toEqual(configuredNames(cluster, "group"))
          const { resourceConfigs: _, ...older } = encoded
          expect(configuredNames(Schema.decodeSync(ClusterState)(older), "group")).toEqual([])
        }
      ),
      { numRuns: 50 }
    )
  })
})
