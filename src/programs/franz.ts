#!/usr/bin/env bun
import { clusterCommands } from "../cli/client/cluster.ts"
import { consumeCommand } from "../cli/client/consume.ts"
import { groupCommands } from "../cli/client/group.ts"
import { produceCommand } from "../cli/client/produce.ts"
import { topicCommands } from "../cli/client/topic.ts"
import { brokerCommand, brokerLeadCommand, upCommand } from "../cli/node/command.ts"
import { consumerCommand } from "../cli/prompt/consumer.ts"
import { producerCommand } from "../cli/prompt/producer.ts"
import { main } from "./main.ts"
import { platform } from "./platform.ts"
import { roles } from "./roles.ts"

// A compiled program lives in a file system of its own; beside its sources it can do more.
const isCheckout = !import.meta.url.includes("$bunfs")

main(
  {
    name: "franz",
    summary: "an event-sourced streaming system that speaks Kafka's protocol",
    commands: [
      upCommand(roles),
      brokerLeadCommand(roles),
      brokerCommand(roles),
      producerCommand(),
      consumerCommand(),
      produceCommand,
      consumeCommand,
      ...topicCommands,
      ...groupCommands,
      ...clusterCommands
    ],
    notes: isCheckout ? ["In a checkout also: ./franz build, check, test, bench, simulate, vectors."] : []
  },
  platform
)
