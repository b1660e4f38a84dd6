import { Effect } from "effect"
import { FaultyDisk, parseFault } from "../adapters/log/disk/faulty-disk.ts"
import { MachineDisk } from "../adapters/log/file/layer.ts"
import { nodeDisk } from "../adapters/log/file/node-disk.ts"
import { brokerCommand, brokerLeadCommand, upCommand } from "../src/cli/node/command.ts"
import type { Roles } from "../src/cli/node/roles.ts"
import { main } from "../src/programs/main.ts"
import { roles } from "../src/programs/node/roles.ts"

// A node over a disk that fails where it is told to, for a developer who wants to see what it says and does:
//
//   bun scripts/faulty-disk.ts "sync /data-1/*.log EIO after 20" "short .log ENOSPC times 3" -- up --port 9092 --data /tmp/data-1,/tmp/data-2
//
// A fault is DOING PATH CODE [after N] [times N]. DOING is sync, write, short (the first half of a write), read, open, rename or directory (the sync of one);
// PATH is what a file's path has in it, * standing for anything. The faults happen between the node and its files: the files themselves are written as they would be.
const words = process.argv.slice(2)
const end = words.indexOf("--")
const faults = words.slice(0, Math.max(0, end)).map((each) => ({ each, fault: parseFault(each) }))
const wrong = faults.find(({ fault }) => fault === undefined)
if (end === -1 || wrong !== undefined) {
  process.stderr.write(
    `${wrong === undefined ? "" : `'${wrong.each}' is no fault.\n`}bun scripts/faulty-disk.ts "DOING PATH CODE [after N] [times N]" ... -- up|broker|brokerlead OPTIONS\n`
  )
  process.exit(2)
}

const faulty = new FaultyDisk(nodeDisk)
for (const { fault } of faults) if (fault !== undefined) faulty.plant(fault)
const over = Effect.provideService(MachineDisk, faulty.disk)
const onFaultyDisk: Roles = {
  up: (options) => over(roles.up(options)),
  brokerLead: (options) => over(roles.brokerLead(options)),
  broker: (options) => over(roles.broker(options))
}
process.argv.splice(2, end + 1)
main({
  name: "faulty-disk",
  summary: "a node over a disk that fails where it is told to",
  commands: [upCommand(onFaultyDisk), brokerLeadCommand(onFaultyDisk), brokerCommand(onFaultyDisk)]
})
