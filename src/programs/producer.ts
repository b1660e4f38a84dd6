#!/usr/bin/env bun
import { producerCommand } from "../cli/prompt/producer.ts"
import { onPlatform } from "./client/supplied.ts"
import { main } from "./main.ts"

main({ name: "franz-producer", summary: "an interactive producer: add and remove topics, send messages", commands: [onPlatform(producerCommand(""))] })
