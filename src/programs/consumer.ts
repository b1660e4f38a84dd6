#!/usr/bin/env bun
import { consumerCommand } from "../cli/prompt/consumer.ts"
import { onPlatform } from "./client/supplied.ts"
import { main } from "./main.ts"

main({ name: "franz-consumer", summary: "an interactive consumer: join a group, subscribe, poll", commands: [onPlatform(consumerCommand(""))] })
