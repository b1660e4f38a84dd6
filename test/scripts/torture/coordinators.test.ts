import { expect, test } from "bun:test"
import { type MemberLine, parseMemberLine } from "../../../scripts/torture/coordinators/member-line.ts"
import { parseCoordinatorsOptions } from "../../../scripts/torture/coordinators/options.ts"
import { WatchedGroup } from "../../../scripts/torture/coordinators/watched-group.ts"
import { UsageError } from "../../../scripts/torture/options.ts"
import { Acknowledgements } from "../../../scripts/torture/pauses.ts"

/** A group of one member that has settled with partition 0, and what is said about it. */
const settled = () => {
  const complaints: Array<string> = []
  const commits = new Acknowledgements()
  const complain = (complaint: string) => void complaints.push(complaint)
  const group = new WatchedGroup({ kind: "ours", group: "g", topic: "t", commits, note: () => undefined, complain })
  const take = (line: string) => group.take(parseMemberLine(line) as MemberLine)
  take("g\t1000\t0\t0")
  group.settle()
  return { complaints, group, take }
}

test("a group that processes and commits every record once has nothing against it", () => {
  const { complaints, group, take } = settled()
  for (const line of ["r\t0\t0\t0", "r\t0\t0\t1", "c\t1100\t0\t1\t0:2", "e\t1200\t0\tNOT_COORDINATOR", "r\t0\t0\t2", "c\t1300\t0\t1\t0:3"]) take(line)
  group.read(new Map([[0, 3]]), group.floor)
  expect([complaints, group.processed, group.commits, group.refused, group.processedTo(0)]).toEqual([[], 3, 2, 1, 3])
})

test("the first rebalances of a group are over when its members have each partition once", () => {
  const parts = { kind: "ours" as const, group: "g", topic: "t", commits: new Acknowledgements(), note: () => undefined, complain: () => undefined }
  const group = new WatchedGroup(parts)
  const isAssignedAfter = (line: string) => {
    group.take(parseMemberLine(line) as MemberLine)
    return group.isAssigned(2, 3)
  }
  const lines = ["g\t1\t0\t0,1,2", "g\t2\t1\t2", "v\t3\t0\trevoked", "g\t4\t0\t0,1", "v\t5\t1\trevoked", "g\t6\t1\t", "g\t7\t0\t0,1,2"]
  expect(lines.map(isAssignedAfter)).toEqual([false, false, false, true, false, false, false])
})

test("a committed offset that goes back, a rebalance, a second join, and a record that is given twice or left out are violations", () => {
  const { complaints, group, take } = settled()
  take("r\t0\t0\t0")
  take("c\t1100\t0\t7\t0:1")
  const { floor } = group
  group.read(new Map([[0, 5]]), floor)
  group.read(new Map([[0, 4]]), floor)
  group.read(new Map([[0, 4]]), group.floor)
  group.read(new Map(), floor)
  take("r\t0\t0\t0")
  take("r\t0\t0\t2")
  take("v\t1200\t0\trevoked")
  take("c\t1300\t0\t8\t0:3")
  take("!\tthe member failed")
  expect(complaints).toEqual([
    "G: the offset of t-0 in g is 4, and 5 was committed",
    "G: the offset of t-0 in g is -1, and 1 was committed",
    "G: member 0 of g was given t-0@0 after 0",
    "G: member 0 of g was given t-0@2 after 0",
    "G: g was rebalanced, and no member ended: member 0 of ours: revoked revoked",
    "G: member 0 of g has joined again, and no member ended: 8 after 7",
    "ours: the member failed"
  ])
})

test("lines of members: anything else is none", () => {
  expect(parseMemberLine("c\t5\t1\t-1\t0:3,2:9")).toEqual({
    kind: "committed",
    atMs: 5,
    member: 1,
    joins: -1,
    offsets: new Map([
      [0, 3],
      [2, 9]
    ])
  })
  expect(parseMemberLine("g\t5\t1\t0,2")).toEqual({ kind: "assigned", member: 1, text: "0,2" })
  for (const line of ["", "c\t5\t1\t-1\t", "r\t0\t1", "x\t1", "hello"]) expect(parseMemberLine(line)).toBeUndefined()
})

test("options of the torture of coordinators, and wrong ones with a sentence", () => {
  expect(parseCoordinatorsOptions(["--coordinators", "--kills", "100", "--seed", "7"])).toMatchObject({ faults: ["kill"], seed: 7, kills: 100 })
  expect(parseCoordinatorsOptions(["--only", "kill,term"])).toMatchObject({ faults: ["kill", "term"], minutes: 3 })
  expect(() => parseCoordinatorsOptions(["--only", "wipe"])).toThrow(new UsageError("--only: 'wipe' is none of kill, bounce, term."))
  expect(() => parseCoordinatorsOptions(["--kills", "3", "--only", "term"])).toThrow("--kills needs 'kill' among the faults of --only.")
})
