import { worker } from "comanche-franz"
import { Context, Data, Effect, Layer } from "effect"
import { deadLetterTopic, type Order, orders } from "./orders.ts"

export class CardRefused extends Data.TaggedError("CardRefused")<{ readonly customer: string }> {
  override get message(): string {
    return `the card of ${this.customer} was refused`
  }
}

/** Where bills go. A real one writes to a database, with the order's id as a unique key. */
export class Bills extends Context.Tag("orders-service/Bills")<
  Bills,
  { readonly bill: (order: Order) => Effect.Effect<void, CardRefused>; readonly billed: Effect.Effect<ReadonlyMap<string, number>> }
>() {
  /** Keeps bills in memory. An order that is delivered twice is billed once. */
  static readonly layerMemory = Layer.sync(Bills, () => {
    const bills = new Map<string, number>()
    return {
      bill: ({ cents, customer, id }) => (cents < 0 ? Effect.fail(new CardRefused({ customer })) : Effect.sync(() => void bills.set(id, cents))),
      billed: Effect.sync(() => new Map(bills))
    }
  })
}

/** Bills every order. One that cannot be billed, or that is no order, goes to the dead letter topic. */
export const billing = Effect.flatMap(Bills, ({ bill }) =>
  worker(orders, ({ value }) => bill(value), {
    group: "billing",
    deadLetter: deadLetterTopic,
    concurrency: 8,
    retries: { attempts: 3, delayMs: 100 }
  })
)
