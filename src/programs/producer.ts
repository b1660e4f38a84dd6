#!/usr/bin/env bun
import { producerCommand } from "../cli/prompt/producer.ts"
import { main } from "./main.ts"
import { onPlatform } from "./supplied.ts"

main({ name: "franz-producer", summary: "an interactive producer: add and remove topics, send messages", commands: [onPlatform(producerCommand(""))] })
