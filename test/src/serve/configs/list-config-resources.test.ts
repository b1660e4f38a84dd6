import { expect, test } from "bun:test"
import { Effect } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { defaultNodeConfig, type ResourceKind } from "../../../../domain/kernel/config.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { ListConfigResources } from "../../../../src/protocol/message/74-list-config-resources.ts"
import type { ResponseOf } from "../../../../src/protocol/type/wire.ts"
import { listConfigResources } from "../../../../src/serve/configs/list-config-resources.ts"
import { addTopic, given, heartbeat, register } from "../../../domain/cluster/support.ts"
import { call } from "../../broker/support.ts"

const changed = (kind: ResourceKind, name: string, setting: string, value: string) =>
  Command.ChangeResourceConfigs({
    kind,
    name,
    node: defaultNodeConfig,
    changes: [{ name: setting, operation: "set", value }],
    replace: false,
    validateOnly: false
  })
const cluster = given(
  register(1),
  heartbeat(1),
  register(2),
  addTopic("orders"),
  changed("group", "g", "share.delivery.count.limit", "6"),
  changed("client-metrics", "m", "interval.ms", "500")
)
const ask = (version: number, resourceTypes: ReadonlyArray<number>) =>
  // On a clock that stands still no slice ends: the answer is there at once.
  Effect.runSync(
    call([listConfigResources(() => cluster)], ListConfigResources, version, version === 0 ? {} : { resourceTypes }).pipe(Effect.withClock(new VirtualClock()))
  ) as ResponseOf<typeof ListConfigResources>
const listed = (version: number, ...types: ReadonlyArray<number>) =>
  ask(version, types).configResources.map(({ resourceName, resourceType }) => `${resourceType} ${resourceName}`)

test("version 0 lists subscriptions to clients' metrics alone", () => expect(ask(0, []).configResources.map(({ resourceName }) => resourceName)).toEqual(["m"]))
test("from version 1 on it lists the requested types, and all types for an empty list", () => {
  expect(listed(1)).toEqual(["2 orders", "4 1", "8 1", "16 m", "32 g"])
  expect(listed(1, 32, 2, 32)).toEqual(["32 g", "2 orders"])
})
test("a kind that is none is refused", () => {
  const { configResources, errorCode } = ask(1, [32, 7])
  expect([configResources, kafkaError(errorCode)]).toEqual([[], "UNSUPPORTED_VERSION"])
})
