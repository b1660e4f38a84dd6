import { lex } from "./lexer.ts"
import type { Finding, Source } from "./source.ts"

/** A word that comments, documents, messages and commit subjects do not use, and what to write in its place. */
interface Word {
  readonly pattern: RegExp
  readonly instead: string
}
const actor = "name the actor: the client, the consumer, the broker, the operator, the caller"

/** Words of our own and translated English, where Kafka's and Effect's users have a word. */
const words: ReadonlyArray<Word> = [
  { pattern: /\b(nobody|no one|whoever|whomever|somebody|someone|everybody|everyone|anybody|anyone)('s)?\b/gi, instead: actor },
  { pattern: /\b(a person|persons?|people)\b/gi, instead: "the operator, the reader, users" },
  { pattern: /\bsomething\b/gi, instead: "name it: a record, an error, a setting" },
  { pattern: /\b(the like|the likes|its kin|their kin|and kin)\b/gi, instead: "list them, or: similar requests" },
  { pattern: /\bit is said\b/gi, instead: "name who says it" },
  {
    pattern: /\b(lies|lie|lay|lain|lying) (in|on|at|beside|before|behind|within|between|outside|under|over|there|beyond|twice|further|elsewhere)\b/gi,
    instead: "is in, is stored in, is before"
  },
  { pattern: /\bwhere (it|they|a \w+|the \w+|its \w+|their \w+) lies?\b/gi, instead: "where … is" },
  { pattern: /\bstands? (in|on|at|beside|before|behind|there|for|above|below|under|over|between|alone|first|last)\b/gi, instead: "is in, is before, means" },
  { pattern: /\b(take|takes|taken|took|taking) (?:\w+ )?back\b/gi, instead: "undo, truncate, remove" },
  { pattern: /\b(give|gives|given|gave|giving|hands|handed) (?:\w+ )?back\b/gi, instead: "release, free, return" },
  { pattern: /\b(come|comes|came|coming) back\b/gi, instead: "restart, rejoin, reconnect, reappear" },
  { pattern: /\b(let|lets|letting) (it |them |him )?in\b/gi, instead: "accept, admit, unfence" },
  { pattern: /\b(is|are|was|were) away\b/gi, instead: "is unreachable, is stopped" },
  { pattern: /\bdead (broker|leader|node|member|peer|process|client|connection)s?\b/gi, instead: "fenced, unreachable, crashed" },
  { pattern: /\bfilthiest\b/gi, instead: "dirtiest" },
  { pattern: /\b(hears?|heard) (of|from|about)\b/gi, instead: "receives, last heartbeat" },
  { pattern: /\b(go|goes|going|went|gone) on\b/gi, instead: "continue, resume" },
  { pattern: /\b(high |low |low-|high-)?watermarks?\b/gi, instead: "high watermark" },
  { pattern: /\bin good order\b|\borderly\b/gi, instead: "cleanly; clean shutdown" },
  { pattern: /\bmend(s|ed|ing)?\b/gi, instead: "repair, fix" },
  { pattern: /\bheed(s|ed|ing)?\b/gi, instead: "apply, ignore" },
  {
    pattern: /(?<!\b(?:is|are|was|were|be|been|being|and|can|or|only) )\bused to (be|have|do|take|call|keep|wait|cost|make|need)\b/gi,
    instead: "comments do not tell history: remove it"
  },
  { pattern: /\bhas its (place|say|way)\b/gi, instead: "say what it does" },
  { pattern: /\b(the disk|the kernel|the system|the file|the machine) (says|knows|hears|thinks|wants)\b/gi, instead: "name the error or the state" }
]

/** Names of types that language has a better word for. */
const names: ReadonlyArray<Word> = [
  { pattern: /\b(?:interface|type|class) (\w*Place)\b/g, instead: "TopicPartition, TopicIdPartition, SegmentPosition, LogDirectory" },
  { pattern: /\b(?:interface|type|class) (\w*Room)\b/g, instead: "…Context" },
  { pattern: /\b(?:interface|type|class) (\w*Shelf)\b/g, instead: "HostedPartitions" },
  { pattern: /\b(?:interface|type|class) (FewLines|Refrain|Complaints)\b/g, instead: "RateLimitedLog" },
  { pattern: /\b(?:interface|type|class) (Heard)\b/g, instead: "LastHeartbeat" },
  { pattern: /\b(?:interface|type|class) (Couriers?|Parcels?|Settlements|Places)\b/g, instead: "InFlightRequests, ProduceBatch" },
  { pattern: /\b(?:interface|type|class) (Moment)\b/g, instead: "…Context, timestamp" },
  { pattern: /\b(?:interface|type|class) (\w*Answer)\b/g, instead: "…Response" },
  { pattern: /\b(?:interface|type|class) (\w*(?:Wanted|Asked))\b/g, instead: "…Request" },
  { pattern: /\b(?:interface|type|class) (\w*Found)\b/g, instead: "…Result" }
]

/** "high watermark" is Kafka's word; alone it is none. */
const isAllowed = (found: string): boolean => /^(high|low)[\s-]+watermark/i.test(found)

/** A part of a dotted name, such as `replica.high.watermark.checkpoint.interval.ms`: Kafka chose the words of its settings. */
const isPartOfName = (text: string, at: number, length: number): boolean =>
  /\w\.$/.test(text.slice(Math.max(0, at - 2), at)) || /^\.\w/.test(text.slice(at + length, at + length + 2))

interface WordFinding extends Finding {
  readonly word: string
}
/** A blank of a pattern stands for any white space: a phrase may go over the end of a line. */
const spread = (list: ReadonlyArray<Word>): ReadonlyArray<Word> =>
  list.map(({ instead, pattern }) => ({ instead, pattern: new RegExp(pattern.source.replaceAll(" ", "\\s+"), pattern.flags) }))
const [spreadWords, spreadNames] = [spread(words), spread(names)]

const inText = (path: string, line: number, text: string, list = spreadWords): ReadonlyArray<WordFinding> =>
  list.flatMap(({ instead, pattern }) =>
    [...text.matchAll(pattern)]
      .filter((match) => !isAllowed(match[0]) && !isPartOfName(text, match.index, match[0].length))
      .map((match) => {
        const word = (list === spreadNames ? (match[1] ?? match[0]) : match[0]).replace(/\s+/g, " ")
        return { path, line: line + text.slice(0, match.index).split("\n").length - 1, word, message: `"${word}": write ${instead}.` }
      })
  )
const byLine = (found: ReadonlyArray<WordFinding>): ReadonlyArray<WordFinding> => found.toSorted((one, other) => one.line - other.line)

/** The asterisks before the lines of a comment become blanks, so that a phrase over two lines is found. */
const withoutMarks = (text: string): string => text.replace(/\n[ \t]*\*(?!\/)/g, (mark) => mark.replace("*", " "))

/** The words of a TypeScript file: in its comments, its texts, and the types that it declares. */
export const wordsInSource = ({ path, text }: Source): ReadonlyArray<WordFinding> => {
  const { code, pieces } = lex(text)
  const said = pieces.flatMap((piece) => inText(path, piece.line, piece.kind === "comment" ? withoutMarks(piece.text) : piece.text))
  return byLine([...said, ...inText(path, 1, code, spreadNames)])
}

/** The words of a Markdown document, but for what is code. */
export const wordsInDocument = ({ path, text }: Source): ReadonlyArray<WordFinding> => {
  const blank = (code: string) => code.replace(/[^\n]/g, " ")
  const prose = text.replace(/^```[\s\S]*?^```/gm, blank).replace(/`[^`\n]*`/g, blank)
  return byLine(inText(path, 1, prose))
}

/** Lines in which a subject of a commit breaks the form `room: what changes`, or uses a word. */
export const wordsInSubjects = (subjects: ReadonlyArray<string>): ReadonlyArray<Finding> =>
  subjects.flatMap((subject, at) => {
    const path = `commit "${subject}"`
    const form = /^[\w./{},* -]+: \S/.test(subject) ? [] : [{ path, line: at + 1, message: "the subject is not of the form `room: what changes`." }]
    const long = subject.length > 72 ? [{ path, line: at + 1, message: `the subject has ${subject.length} characters: at most 72.` }] : []
    return [...form, ...long, ...inText(path, 1, subject)]
  })

export type WordRatchet = Readonly<Record<string, number>>

/** How many words a file may still have. One that was moved keeps the number of the path that is gone. */
const allowance = (ratchet: WordRatchet, path: string, present: ReadonlySet<string>): number => {
  if (ratchet[path] !== undefined) return ratchet[path]
  const name = path.slice(path.lastIndexOf("/") + 1)
  const moved = Object.entries(ratchet).filter(([old]) => !present.has(old) && old.endsWith(`/${name}`))
  return Math.max(0, ...moved.map(([, count]) => count))
}
const countsOf = (found: ReadonlyArray<WordFinding>): ReadonlyMap<string, ReadonlyArray<WordFinding>> => {
  const byPath = new Map<string, Array<WordFinding>>()
  for (const one of found) byPath.set(one.path, [...(byPath.get(one.path) ?? []), one])
  return byPath
}

/**
 * The words of files that have more of them than the ratchet allows. A file that was renamed or split is found by no path: while all files together have no more than all numbers
 * together, no word is new.
 */
export const compareWords = (found: ReadonlyArray<WordFinding>, ratchet: WordRatchet, present: ReadonlySet<string>): ReadonlyArray<Finding> =>
  found.length <= sumOf(ratchet)
    ? []
    : [...countsOf(found)].flatMap(([path, each]) => {
        const allowed = allowance(ratchet, path, present)
        return each.length > allowed ? each.map(({ line, message }) => ({ path, line, message: `${message} (${each.length} here, ${allowed} allowed)` })) : []
      })

const sumOf = (ratchet: WordRatchet): number => Object.values(ratchet).reduce((sum, count) => sum + count, 0)

/** The ratchet with the numbers of today: while their sum is not larger, since files may be renamed and split; otherwise with those that have become smaller. */
export const loweredWords = (found: ReadonlyArray<WordFinding>, ratchet: WordRatchet, present: ReadonlySet<string>): WordRatchet =>
  Object.fromEntries(
    [...countsOf(found)]
      .map(([path, each]) => [path, found.length <= sumOf(ratchet) ? each.length : Math.min(each.length, allowance(ratchet, path, present))] as const)
      .filter(([, count]) => count > 0)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
  )
