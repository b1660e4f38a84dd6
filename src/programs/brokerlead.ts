#!/usr/bin/env bun
import { executeTuned } from "./tuned.ts"

executeTuned()
// Before, a received signal would be lost with the process's first program.
;(await import("../cli/shell/stop-signals.ts")).receiveStopSignals()
const { brokerLeadCommand } = await import("../cli/node/command.ts")
const { roles } = await import("./node/roles.ts")
const { main } = await import("./main.ts")

main({ name: "franz-brokerlead", summary: "the broker leader: coordinates brokers, topics and groups", commands: [brokerLeadCommand(roles, "")] })
