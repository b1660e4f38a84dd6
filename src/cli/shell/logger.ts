import { Cause, HashMap, Inspectable, Layer, List, Logger, LogLevel } from "effect"

import { printable, printableJson } from "../../../domain/kernel/printable.ts"

export type LogFormat = "text" | "json"

const time = (date: Date): string => date.toISOString().slice(11, 23)
const words = (message: unknown): string =>
  (Array.isArray(message) ? message : [message]).map((part) => (typeof part === "string" ? part : Inspectable.toStringUnknown(part, 0))).join(" ")
const failure = (cause: Cause.Cause<unknown>): string => (Cause.isEmpty(cause) ? "" : Cause.pretty(cause))
/** Joins lines into one, and escapes what a terminal would obey. */
export const oneLine = (text: string): string => printable(text.replace(/\s*\n\s*/g, " | "))

const textLogger = Logger.make<unknown, void>(({ annotations, cause, date, logLevel, message, spans }) => {
  const about = [
    ...HashMap.toEntries(annotations).map(([key, value]) => `${key}=${Inspectable.toStringUnknown(value, 0)}`),
    ...List.toArray(spans).map(({ label }) => label)
  ]
  const level = logLevel._tag === "Info" ? "" : `${logLevel.label} `
  process.stderr.write(`${oneLine([`${time(date)} ${level}${words(message)}`, ...about, failure(cause)].filter((part) => part !== "").join("  "))}\n`)
})

const jsonLogger = Logger.make<unknown, void>(({ annotations, cause, date, logLevel, message }) => {
  const fields = Object.fromEntries(HashMap.toEntries(annotations).map(([key, value]) => [key, typeof value === "bigint" ? value.toString() : value]))
  const problem = failure(cause)
  const line = {
    time: date.toISOString(),
    level: logLevel.label.toLowerCase(),
    message: words(message),
    ...fields,
    ...(problem === "" ? {} : { cause: problem })
  }
  process.stderr.write(`${printableJson(JSON.stringify(line))}\n`)
})

/** Writes log events to standard error, one a line: as text or as JSON. */
export const loggerLayer = (format: LogFormat, level: LogLevel.LogLevel = LogLevel.Info): Layer.Layer<never> =>
  Layer.merge(Logger.replace(Logger.defaultLogger, format === "json" ? jsonLogger : textLogger), Logger.minimumLogLevel(level))
