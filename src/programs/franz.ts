#!/usr/bin/env bun
import { consumeCommand } from "../cli/client/consume.ts"
import { produceCommand } from "../cli/client/produce.ts"
import { brokerCommand, brokerLeadCommand, upCommand } from "../cli/node/command.ts"
import { main } from "./main.ts"
import { platform } from "./platform.ts"
import { roles } from "./roles.ts"

main(
  {
    name: "franz",
    summary: "an event-sourced streaming system that speaks Kafka's protocol",
    commands: [upCommand(roles), brokerLeadCommand(roles), brokerCommand(roles), produceCommand, consumeCommand]
  },
  platform
)
