#!/usr/bin/env bun
import { Layer } from "effect"
import { brokerCommand, brokerLeadCommand, upCommand } from "../cli/node/command.ts"
import { main } from "./main.ts"
import { roles } from "./roles.ts"

main(
  {
    name: "franz",
    summary: "an event-sourced streaming system that speaks Kafka's protocol",
    commands: [upCommand(roles), brokerLeadCommand(roles), brokerCommand(roles)]
  },
  Layer.empty
)
