import { Tracer } from "effect"
import type { MessageHeader, MessageHeaders } from "../topic/headers.ts"

/** The header of W3C Trace Context, which OpenTelemetry's instrumentations of other clients read and write. */
export const traceHeader = "traceparent"

const ids = { trace: /^(?!0{32})[0-9a-f]{32}$/, span: /^(?!0{16})[0-9a-f]{16}$/ } as const
/** A later version may add fields behind the flags; ff is invalid. */
const pattern = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
/** Characters of a header that is read. */
const charactersMax = 512

/** Returns the header's value of a span; undefined where the tracer has ids of another form. */
export const traceParent = ({ sampled, spanId, traceId }: Pick<Tracer.AnySpan, "sampled" | "spanId" | "traceId">): string | undefined =>
  ids.trace.test(traceId) && ids.span.test(spanId) ? `00-${traceId}-${spanId}-${sampled ? "01" : "00"}` : undefined

/** Returns the span that a header's value names; undefined for one that is not valid, as the specification says. */
export const spanOf = (value: string | null | undefined): Tracer.ExternalSpan | undefined => {
  if (value === null || value === undefined || value.length > charactersMax) return undefined
  const [, version, traceId = "", spanId = "", flags = "", rest] = pattern.exec(value) ?? []
  if (!ids.trace.test(traceId) || !ids.span.test(spanId) || (version === "00" && rest !== undefined)) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

const isList = (headers: MessageHeaders): headers is ReadonlyArray<MessageHeader> => Array.isArray(headers)
/** Adds the header, unless the caller has set it. Headers of a wrong shape stay as they are: the producer refuses them. */
export const withTraceHeader = (headers: MessageHeaders | undefined, value: string): MessageHeaders => {
  if (headers === undefined) return { [traceHeader]: value }
  if (typeof headers !== "object" || headers === null) return headers
  if (isList(headers)) return headers.some((header) => header?.key === traceHeader) ? headers : [...headers, { key: traceHeader, value }]
  const isPlainObject = Object.getPrototypeOf(headers) === Object.prototype || Object.getPrototypeOf(headers) === null
  return !isPlainObject || traceHeader in headers ? headers : { ...headers, [traceHeader]: value }
}
