import { Either } from "effect"
import { decode } from "../codec/compile.ts"
import { DecodeError } from "../codec/decode-error.ts"
import { encodeVersioned } from "../codec/versioned.ts"
import { array, bytes, int32, nullable, type Schema, schema, since, struct, text, withDefault } from "../type/wire.ts"

/**
 * What a consumer says of itself when it joins a classic group of protocol type "consumer": the metadata of each assignor in JoinGroup.
 *
 * Version 1 adds the partitions that the member still owns (KIP-429), 2 the generation in which it got them (KIP-792), 3 its rack (KIP-881).
 */
export const ConsumerProtocolSubscription = schema(
  { name: "ConsumerProtocolSubscription", versions: [0, 3] },
  {
    topics: array(text),
    userData: withDefault(nullable(bytes), null),
    ownedPartitions: since(1, array(struct({ topic: text, partitions: array(int32) })), [], "ignorable"),
    generationId: since(2, int32, -1, "ignorable"),
    rackId: since(3, nullable(text), null, "ignorable")
  }
)

/** What the group's leader gives a member of protocol type "consumer": the assignment in SyncGroup. Its versions follow the subscription's; the form is one. */
export const ConsumerProtocolAssignment = schema(
  { name: "ConsumerProtocolAssignment", versions: [0, 3] },
  { assignedPartitions: array(struct({ topic: text, partitions: array(int32) })), userData: withDefault(nullable(bytes), null) }
)

type Read<S> = S extends Schema<infer A, never> ? A : never
type Draft<S> = S extends Schema<unknown, infer D> ? D : never
type ConsumerSubscription = Read<typeof ConsumerProtocolSubscription>
type ConsumerSubscriptionDraft = Draft<typeof ConsumerProtocolSubscription>
type ConsumerAssignment = Read<typeof ConsumerProtocolAssignment>
type ConsumerAssignmentDraft = Draft<typeof ConsumerProtocolAssignment>

const latest = 3

/** A version newer than ours is read as our last one: Kafka promises that newer ones only add fields at the end. */
const decodeVersioned = <A>(schema: Schema<A, never>, bytes: Uint8Array): Either.Either<A, DecodeError> => {
  if (bytes.length < 2) return Either.left(new DecodeError(0, "version", `2 bytes expected, ${bytes.length} left`))
  const version = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt16(0)
  return decode(schema, Math.min(version, latest), bytes, 2)
}

/** Throws an EncodeError where the version, 0 to 3, does not exist. */
export const encodeSubscription = (draft: ConsumerSubscriptionDraft, version = latest): Uint8Array =>
  encodeVersioned(ConsumerProtocolSubscription, draft, version)
export const decodeSubscription = (bytes: Uint8Array): Either.Either<ConsumerSubscription, DecodeError> => decodeVersioned(ConsumerProtocolSubscription, bytes)
/** Throws an EncodeError where the version, 0 to 3, does not exist. */
export const encodeAssignment = (draft: ConsumerAssignmentDraft, version = latest): Uint8Array => encodeVersioned(ConsumerProtocolAssignment, draft, version)
export const decodeAssignment = (bytes: Uint8Array): Either.Either<ConsumerAssignment, DecodeError> => decodeVersioned(ConsumerProtocolAssignment, bytes)
