#!/usr/bin/env bun
import "./tuned.ts"
import { brokerCommand } from "../cli/node/command.ts"
import { main } from "./main.ts"
import { roles } from "./node/roles.ts"

main({ name: "franz-broker", summary: "one broker: keeps partitions, and waits for its leader", commands: [brokerCommand(roles, "")] })
