#!/usr/bin/env bun
import "./tuned.ts"
import { brokerLeadCommand } from "../cli/node/command.ts"
import { main } from "./main.ts"
import { roles } from "./node/roles.ts"

main({ name: "franz-brokerlead", summary: "the broker leader: coordinates brokers, topics and groups", commands: [brokerLeadCommand(roles, "")] })
