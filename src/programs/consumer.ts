#!/usr/bin/env bun
import { consumerCommand } from "../cli/prompt/consumer.ts"
import { main } from "./main.ts"
import { platform } from "./platform.ts"

main({ name: "franz-consumer", summary: "an interactive consumer: join a group, subscribe, poll", commands: [consumerCommand("")] }, platform)
