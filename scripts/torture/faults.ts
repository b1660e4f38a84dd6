import type { FaultName } from "./fault-name.ts"
import { brokerEnd, clients, type End, leader } from "./links.ts"
import { expectReads, expectRefusedProduce } from "./probe.ts"
import { type Site, stateOf, untilAcknowledged, untilState } from "./site.ts"

/** Injects a fault and ends it: afterwards every process runs and every link is whole. Returns what it did. */
type Fault = (site: Site) => Promise<string>

/** The leader of a random partition. */
const someLeader = async (site: Site): Promise<number> => {
  const led = (await stateOf(site)).filter(({ leader }) => leader >= 0)
  if (led.length === 0) throw new Error("no partition has a leader")
  return site.chance.pick(led).leader
}

/** Waits until the brokers that run have taken over, and every client is served by them. */
const untilTakenOver = async (site: Site, gone: ReadonlyArray<number>): Promise<void> => {
  await untilState(site, "the other brokers lead every partition", (state) => state.every(({ leader: by }) => by >= 0 && !gone.includes(by)))
  await untilAcknowledged(site, Date.now())
  site.mark("others serve")
}

/** Starts a broker, and waits until it serves. */
const start = async (site: Site, id: number): Promise<void> => {
  await site.nodes.startBroker(id)
  site.mark("started")
}

const kill: Fault = async (site) => {
  const id = await someLeader(site)
  await site.nodes.end(id, "SIGKILL")
  await untilTakenOver(site, [id])
  await start(site, id)
  return `broker ${id}`
}

const bounce: Fault = async (site) => {
  const id = await someLeader(site)
  await site.nodes.end(id, "SIGKILL")
  await start(site, id)
  return `broker ${id}, started again at once`
}

const term: Fault = async (site) => {
  const id = await someLeader(site)
  await site.nodes.end(id, "SIGTERM")
  site.mark("ended")
  await start(site, id)
  return `broker ${id}`
}

const stop: Fault = async (site) => {
  const id = await someLeader(site)
  site.nodes.signal(id, "SIGSTOP")
  await Bun.sleep(site.lastingMs)
  site.nodes.signal(id, "SIGCONT")
  site.mark("over")
  return `broker ${id} for ${site.lastingMs / 1000} s`
}

const wipe: Fault = async (site) => {
  const id = await someLeader(site)
  const isKilled = site.chance.isTrue(0.5)
  await site.nodes.end(id, isKilled ? "SIGKILL" : "SIGTERM")
  site.mark("ended")
  site.nodes.wipe(id)
  await start(site, id)
  return `broker ${id} after SIG${isKilled ? "KILL" : "TERM"}`
}

const full: Fault = async (site) => {
  const { disk, id } = site.nodes.smallDisk
  disk.fill()
  await Bun.sleep(site.lastingMs)
  disk.free()
  site.mark("over")
  return `the disk of broker ${id} for ${site.lastingMs / 1000} s`
}

const cut: Fault = async (site) => {
  const { chance, nodes } = site
  const id = await someLeader(site)
  const other = chance.pick([...nodes.brokers.keys()].filter((each) => each !== id))
  const own = brokerEnd(id)
  const isBetween = (one: End, two: End) => (from: End, to: End) => (from === one && to === two) || (from === two && to === one)
  const kinds: ReadonlyArray<readonly [text: string, isCut: (from: End, to: End) => boolean]> = [
    [`broker ${id} from all`, (from, to) => from === own || to === own],
    [`broker ${id} from the leader`, isBetween(own, leader)],
    [`broker ${id} from broker ${other}`, isBetween(own, brokerEnd(other))],
    [`broker ${id} from all but its clients`, (from, to) => (from === own || to === own) && from !== clients && to !== clients]
  ]
  const [text, isCut] = chance.pick(kinds)
  nodes.links.cut(isCut)
  await Bun.sleep(site.lastingMs)
  nodes.links.heal()
  site.mark("over")
  return `${text} for ${site.lastingMs / 1000} s`
}

const down: Fault = async (site) => {
  const { chance, nodes } = site
  const survivor = chance.pick([...nodes.brokers.keys()])
  const gone = [...nodes.brokers.keys()].filter((id) => id !== survivor)
  for (const id of gone) await nodes.end(id, chance.isTrue(0.5) ? "SIGKILL" : "SIGTERM")
  await untilState(site, `broker ${survivor} leads every partition`, (state) => state.every(({ leader: by }) => by === survivor))
  await expectRefusedProduce(site, survivor)
  await expectReads(site, survivor)
  await Bun.sleep(site.lastingMs)
  site.mark("over")
  await Promise.all(gone.map((id) => nodes.startBroker(id)))
  site.mark("started")
  return `brokers ${gone.join(" and ")}; broker ${survivor} refused acks=all with NOT_ENOUGH_REPLICAS, and served reads`
}

export const faults: Readonly<Record<FaultName, Fault>> = { kill, bounce, term, stop, wipe, full, cut, down }
