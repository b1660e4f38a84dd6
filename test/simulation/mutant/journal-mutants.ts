import { Effect } from "effect"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { envelope } from "../../../src/leader/handler/58-envelope.ts"
import type { Journal } from "../../../src/ports/journal.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { Envelope } from "../../../src/protocol/message/58-envelope.ts"
import { RequestContext } from "../../../src/wire/route.ts"
import type { Mutant } from "./mutant.ts"

type Service = Journal["Type"]

/** Every so many appends are answered and not done; the writer's idea of the end is then ahead, and is followed. */
const loseEvery = 12
export const appendLost: Mutant = {
  name: "append-lost",
  mistake: "an append to the journal is answered ok and does not happen",
  journal: (journal): Service => {
    let appends = 0
    let lost = 0
    return {
      ...journal,
      append: (stream, epoch, expected, entries) => {
        if (stream !== metadataTopic) return journal.append(stream, epoch, expected, entries)
        if (++appends % loseEvery !== 0) return journal.append(stream, epoch, expected - lost, entries)
        lost += entries.length
        return Effect.void
      }
    }
  }
}

export const answerBeforeJournal: Mutant = {
  name: "answer-before-journal",
  likelySeed: 7,
  mistake: "the leader answers as soon as an append has begun",
  journal: (journal): Service => ({
    ...journal,
    append: (stream, epoch, expected, entries) => Effect.asVoid(Effect.forkDaemon(Effect.orDie(journal.append(stream, epoch, expected, entries))))
  })
}

export const snapshotStale: Mutant = {
  name: "snapshot-stale",
  mistake: "a snapshot holds the state of the one before it",
  journal: (journal): Service => {
    const before = new Map<string, Uint8Array>()
    return {
      ...journal,
      saveSnapshot: (stream, { index, value }) =>
        Effect.suspend(() => {
          const stale = before.get(stream) ?? value
          before.set(stream, value)
          return journal.saveSnapshot(stream, { index, value: stale })
        })
    }
  }
}

export const commandsForgotten: Mutant = {
  name: "commands-forgotten",
  likelySeed: 20,
  mistake: "the leader does not recognize a command that is sent again",
  leaderRoutes: (routes) => {
    const forgetful = routes.map((route) =>
      route.api.key === CreateTopics.key || route.api.key === DeleteTopics.key
        ? {
            ...route,
            start: (context: RequestContext, bodyAt: number) =>
              route.start(new RequestContext({ ...context.header, unknownTags: [] }, context.session, context.frame), bodyAt)
          }
        : route
    )
    // Clients reach the leader through brokers: what comes in an Envelope is answered by the same routes. Every Envelope of a simulated cluster is a broker's.
    return [...forgetful.filter(({ api }) => api.key !== Envelope.key), envelope(forgetful, () => "broker 1")]
  }
}
