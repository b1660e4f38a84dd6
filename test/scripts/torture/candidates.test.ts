import { expect, test } from "bun:test"
import { type JournalEntry, judgeJournal } from "../../../scripts/torture/candidates/journal.ts"
import { LeaderAnswers } from "../../../scripts/torture/candidates/leader-answers.ts"
import { parseCandidatesOptions } from "../../../scripts/torture/candidates/options.ts"
import { UsageError } from "../../../scripts/torture/options.ts"

const entry = (index: number, epoch: number, type: string, event: JournalEntry["event"], revision = 100 + index): JournalEntry => ({
  index,
  epoch,
  revision,
  type,
  event
})
const journal = [
  entry(0, 1, "LeaderElected", { nodeId: 101, epoch: 1 }),
  entry(1, 1, "TopicAdded", { topicId: "A" }),
  entry(2, 2, "LeaderElected", { nodeId: 102, epoch: 2 }),
  entry(3, 2, "TopicRemoved", { topicId: "A" })
]
const acknowledged = { created: new Map([["A", "made-1"]]), deleted: new Set(["A"]) }
const replaced = (nth: number, by: JournalEntry) => judgeJournal(journal.with(nth, by), acknowledged)

test("a journal is judged: its order, its epochs, their leaders, and what was acknowledged", () => {
  expect(judgeJournal(journal, acknowledged)).toEqual([])
  expect(judgeJournal(journal.slice(0, 3), acknowledged)).toEqual(["M5: the deletion of made-1 was acknowledged, and is not in the journal"])
  expect(replaced(1, entry(1, 1, "TopicAdded", { topicId: "B" }))).toEqual(["M5: the creation of made-1 (A) was acknowledged, and is not in the journal"])
  expect(replaced(3, entry(3, 1, "TopicRemoved", { topicId: "A" }))).toEqual(["M4: epoch 1 appended entry 3 after epoch 2"])
  expect(replaced(3, entry(3, 2, "TopicRemoved", { topicId: "A" }, 99))).toEqual(["M4: entry 3 was appended at revision 99, before entry 2 at 102"])
  expect(replaced(3, entry(4, 2, "TopicRemoved", { topicId: "A" }))).toEqual(["M5: entry 3 of the journal is missing: 4 is in its place"])
  expect(replaced(2, entry(2, 2, "LeaderElected", { nodeId: 102, epoch: 3 }))).toEqual(["M4: epoch 2 has the event of the leader of epoch 3"])
  const second = entry(4, 2, "LeaderElected", { nodeId: 103, epoch: 2 })
  expect(judgeJournal([...journal, second], acknowledged)).toEqual(["M4: nodes 102 and 103 both lead in epoch 2"])
})

test("answers of leaders are judged: an older one that answers later, and two of one epoch", () => {
  const complaints: Array<string> = []
  const answers = new LeaderAnswers(new Map(), (complaint) => complaints.push(complaint))
  answers.take("broker-1", { nodeId: 101, epoch: 1 }, -1)
  answers.take("candidate-102", { nodeId: 102, epoch: 2 }, 1)
  // Sent before the newer leader had answered.
  answers.take("candidate-101", { nodeId: 101, epoch: 1 }, 1)
  expect(complaints).toEqual([])
  answers.take("candidate-101", { nodeId: 101, epoch: 1 }, 2)
  answers.take("broker-2", { nodeId: 103, epoch: 2 }, 2)
  expect(complaints).toEqual([
    "M4: candidate-101 was answered by node 101 as the leader of epoch 1, after a leader of epoch 2 had answered",
    "M4: nodes 102 and 103 both answer as the leader of epoch 2"
  ])
})

test("options of the torture of candidates, and wrong ones with a sentence", () => {
  expect(parseCandidatesOptions(["--candidates", "--only", "kill,stop", "--seed", "7"])).toMatchObject({ faults: ["kill", "stop"], seed: 7, leaseMs: 4000 })
  expect(() => parseCandidatesOptions(["--only", "wipe"])).toThrow(new UsageError("--only: 'wipe' is none of kill, stop, etcd, quorum."))
  expect(() => parseCandidatesOptions(["--lease-ms", "500"])).toThrow("--lease-ms takes a number of at least 2000, not '500'.")
})
