// Stays until its input ends: a cluster with a batch in zstd.
import { Producer } from "comanche-franz"
import { startCluster } from "comanche-franz/testing"
import { Effect } from "effect"

const cluster = await startCluster()
const send = Effect.flatMap(Producer, (producer) =>
  Effect.zipRight(producer.addTopic("compressed", { partitions: 1 }), producer.sendMessage("compressed", "x"))
)
await Effect.runPromise(send.pipe(Effect.provide(Producer.layer({ leader: cluster.leader, compression: "zstd" }))))
console.log(cluster.leader)
for await (const _ of process.stdin);
await cluster.close()
