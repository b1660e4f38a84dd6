import { type KafkaError, kafkaError } from "../../domain/kernel/error-code.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../src/protocol/message/01-fetch.ts"
import { RawConnection } from "../../test/interop/support/raw.ts"
import { type Site, until } from "./site.ts"

/** Versions that name topics. */
const produceVersion = 11
const fetchVersion = 12
const probeWithinMs = 60_000

const asking = async <A>(site: Site, broker: number, ask: (connection: RawConnection) => Promise<A>): Promise<A> => {
  const connection = await RawConnection.open(site.nodes.broker(broker).port)
  try {
    return await ask(connection)
  } finally {
    connection.close()
  }
}

/** One message without idempotence, acks=all. The history has it, since it may be stored. */
const produce = async (site: Site, broker: number, partition: number): Promise<KafkaError> => {
  const { observed, topic } = site
  const value = `probe/${observed.recorder.next()}`
  const done = observed.recorder.invoke(observed.recorder.sends, "probe", { topic, partition, value, acks: "all", idempotent: false })
  const record = { timestamp: Date.now(), key: null, value: new TextEncoder().encode(value), headers: [] }
  const records = encodeBatch({ codec: "none", records: [record] }, { crc32c, compress: (_, part) => part })
  const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }]
  const response = await asking(site, broker, (connection) => connection.call(Produce, produceVersion, { acks: -1, timeoutMs: 5000, topicData }))
  const result = response.responses[0]?.partitionResponses[0]
  const error = kafkaError(result?.errorCode ?? -1)
  if (error === "NONE") done({ _tag: "ok", value: { topic, partition, offset: Number(result?.baseOffset) } })
  else if (error === "NOT_ENOUGH_REPLICAS") done({ _tag: "fail", error })
  return error
}

/** Every partition refuses acks=all with NOT_ENOUGH_REPLICAS, once the broker knows of its in-sync sets. */
export const expectRefusedProduce = async (site: Site, broker: number): Promise<void> => {
  for (let partition = 0; partition < site.partitions; partition++) {
    let error: KafkaError | undefined
    await until(
      `broker ${broker} refuses acks=all in partition ${partition} with NOT_ENOUGH_REPLICAS`,
      async () => {
        error = await produce(site, broker, partition)
        if (error === "NONE") site.complain(`R6: broker ${broker} acknowledged acks=all in partition ${partition} while the others were down`)
        return error === "NOT_ENOUGH_REPLICAS"
      },
      probeWithinMs
    ).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; its last response was ${error}`)
    })
  }
}

/** Every partition gives records from its start on. */
export const expectReads = async (site: Site, broker: number): Promise<void> => {
  for (let partition = 0; partition < site.partitions; partition++) {
    let seen = ""
    await until(
      `broker ${broker} serves reads of partition ${partition}`,
      async () => {
        const partitions = [{ partition, fetchOffset: 0n, partitionMaxBytes: 1000 }]
        const request = { maxWaitMs: 0, minBytes: 0, maxBytes: 1000, topics: [{ topic: site.topic, partitions }] }
        const response = await asking(site, broker, (connection) => connection.call(Fetch, fetchVersion, request))
        const found = response.responses[0]?.partitions[0]
        seen = `${kafkaError(response.errorCode)}, ${kafkaError(found?.errorCode ?? -1)}, high watermark ${found?.highWatermark}`
        return found?.errorCode === 0 && (found.records?.length ?? 0) > 0
      },
      probeWithinMs
    ).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; its last response was ${seen}`)
    })
  }
}
