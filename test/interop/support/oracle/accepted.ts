import type { Difference } from "./normal.ts"

/** A difference from Kafka that stays: where it is, what both say, and why. docs/decisions/0011 tells the same as prose. */
export interface Accepted {
  readonly at: RegExp
  readonly ours?: RegExp
  readonly kafkas?: RegExp
  readonly why: string
}

export const accepted: ReadonlyArray<Accepted> = [
  // What ours says more of.
  { at: /errorMessage$/, ours: /^"a sentence"$/, kafkas: /^(null|"")$/, why: "A refusal says why, where Kafka gives the code alone." },
  { at: /errorMessage$/, ours: /^null$/, kafkas: /^""$/, why: "No error, no message: null instead of Kafka's empty text." },
  { at: /^FindCoordinator\/.* v[123]\.errorMessage$/, ours: /^null$/, why: "Without an error Kafka's message is the word NONE." },

  // What is not built, or built later than the Kafka that is compared with.
  {
    at: /^ApiVersions\/all v\d\.apiKeys$/,
    ours: /^(?!.*"apiKey":(?!18,|42,)).*$/,
    why: "Kafka 4.4's ranges of ApiVersions and DeleteGroups, and fewer APIs: what is not built is not advertised."
  },
  { at: /^ApiVersions\/an unknown version\.answer$/, ours: /0005"$/, kafkas: /0004"$/, why: "Kafka 4.4 has ApiVersions 5." },
  { at: /^ApiVersions\/all v[34]\.(supported|finalized)Features/, why: "Features gate transactions 2, KIP-848 and share groups, none of which are built." },
  { at: /^DescribeConfigs\/loggers\./, why: "A node has one logger, whose level is fixed." },
  {
    at: /^(DescribeConfigs\/node.*|Settings of nodes\/(.*listener.*|process\.roles|controller\.quorum\.voters|log\.dirs?|(offsets|share|transaction)\..*(replication\.factor|min\.isr)))\.results\..*\.(value|configSource|synonyms)$/,
    why: "The two nodes were started with different files."
  },
  { at: /^Settings of nodes\/listener(s|\.security\.protocol\.map)\..*\.readOnly$/, ours: /true/, why: "A node listens where it started to until it ends." },
  { at: /^Settings of nodes\/[^/]*\.configs$/, kafkas: /^\[\]$/, why: "Settings that Kafka does not have." },
  {
    at: /^(DescribeConfigs\/topic, no keys|Settings of topics\/[^/]*)\.results\.0\.configs$/,
    ours: /errors\.deadletterqueue\.group\.enable/,
    why: "Settings of topics that Kafka has since version 4.4, and one of ours."
  },
  {
    at: /^Settings of nodes\/(max\.connections|max\.incremental\.fetch\.session\.cache\.slots|offsets\.topic\.num\.partitions)\..*\.(value|synonyms|readOnly)$/,
    why: "Another default: a bound for connections, and four streams of the journal for the groups."
  },
  { at: /^InitProducerId\/transactional id\.errorCode$/, ours: /UNSUPPORTED_VERSION/, why: "There are no transactions." },
  { at: /^Produce, records\/transactional/, ours: /INVALID_TXN_STATE/, why: "There are no transactions." },
  { at: /^Fetch\/last fetched epoch 3\./, why: "Only followers say which epoch they fetched last; consumers ask OffsetForLeaderEpoch." },

  // Where ours is stricter or plainer.
  { at: /^DeleteRecords\/listed when empty, time -3\./, ours: /^-1$/, why: "An empty log has no latest record; Kafka tells one that was deleted." },
  {
    at: /^ListOffsets elsewhere\/cut further, time -3\.topics\.0\.partitions\.0\.offset$/,
    why: "Kafka names the record that had the largest time, also when it was deleted; ours the largest of those that are there."
  },
  { at: /^ListOffsets\/a partition twice\./, ours: /^(?!.*NONE)/, why: "Refused wherever it is named; Kafka refuses it once." },
  {
    at: /^Produce, records\/(cut off|a header alone)\..*errorCode$/,
    ours: /CORRUPT_MESSAGE/,
    why: "A batch that is cut off is a corrupt one; Kafka sees no batch at all."
  },
  { at: /^Produce, records\/log append time from the client/, ours: /INVALID_TIMESTAMP|-1/, why: "Only the broker stamps; Kafka lets such a batch through." },
  { at: /^Produce, records\/keyless to a plain topic\..*baseOffset$/, why: "One record fewer is in the log: see the one before." },
  {
    at: /^Produce, sequences\/negative epoch\..*errorCode$/,
    ours: /INVALID_RECORD/,
    why: "An id without an epoch is no producer; Kafka compares epochs first."
  },
  {
    at: /^(Produce|Random sequences|Compaction\/no key).*\.logStartOffset$/,
    ours: /^-1$/,
    kafkas: /^\d+$/,
    why: "An error tells no start of the log. Clients read it with UNKNOWN_PRODUCER_ID alone, which is never sent."
  },
  {
    at: /^(Produce, sequences\/(again|the first once more|the fifth last)|Produce, codecs\/kept-sequences: the next again|Random sequences\/|Compaction\/a repeated batch).*logAppendTimeMs$/,
    ours: /^-1$/,
    why: "Kafka answers a repeated batch with its own time as if it were the log's."
  },
  { at: /^Fetch( sessions.*)?\/.*abortedTransactions$/, ours: /^null$/, kafkas: /^\[\]$/, why: "Both mean none; Kafka has both in errors." },
  { at: /^Fetch\/isolation level 3\./, kafkas: /./, why: "Kafka fails with UNKNOWN_SERVER_ERROR; what is not read committed is read uncommitted here." },
  { at: /^Fetch\/another cluster\./, why: "A fetch that is meant for another cluster is refused; Kafka looks at the cluster only among controllers." },
  { at: /^CreateTopics\/checked.*\.topicId$/, ours: /^"AAAAAAAAAAAAAAAAAAAAAA"$/, why: "A topic that was not made has no id; Kafka draws one and forgets it." },
  { at: /^CreateTopics\/collision within a request\./, why: "Names that collide are refused, also when one request brings both." },
  { at: /^CreateTopics\/setting twice\./, why: "A setting that is given twice is refused; Kafka takes the last." },
  { at: /^SyncGroup and Heartbeat\/empty group\.errorCode$/, ours: /INVALID_GROUP_ID/, why: "Both faults are in the request; ours names the other one." },
  { at: /^Odd values\/retention\.bytes=-5\./, ours: /INVALID_CONFIG|sentence/, why: "Only -1 means no bound; Kafka takes any negative number for it." },
  { at: /^Odd values\/segment\.bytes=1048575\./, ours: /NONE|null/, why: "Segments may be smaller than 1 MiB here: a small topic is deleted in small steps." },
  {
    at: /^Nodes changed\/(out of range|no number)[^/]*\.errorCode$/,
    ours: /INVALID_CONFIG/,
    kafkas: /INVALID_REQUEST/,
    why: "A value out of range is INVALID_CONFIG for nodes too, as it is for topics."
  },
  {
    at: /^Nodes changed\/unknown\./,
    ours: /INVALID_CONFIG|sentence/,
    why: "An unknown name is refused; Kafka keeps it for a plugin that may be there."
  },
  {
    at: /^Produce, opened\/inside: (what is no gzip|gzip that is damaged|lz4 of linked blocks)\..*errorCode$/,
    ours: /INVALID_RECORD/,
    why: "What does not unpack is an invalid record, whatever the codec; Kafka fails with UNKNOWN_SERVER_ERROR for some."
  },
  {
    at: /^Produce, hostile\/hostile: a base timestamp of 2\^63 - 1\..*recordErrors$/,
    why: "A time beyond 2^53 ms is refused by the header alone; Kafka names every record."
  },
  {
    at: /^Produce, hostile\/hostile: an unknown codec\..*errorCode$/,
    ours: /UNSUPPORTED_COMPRESSION_TYPE/,
    why: "An unknown codec is unsupported; Kafka fails with UNKNOWN_SERVER_ERROR."
  },
  {
    at: /^Produce, hostile\/hostile: (records that are none|gzip that is none|.* in gzip)\..*errorCode$/,
    ours: /INVALID_RECORD/,
    kafkas: /UNKNOWN_SERVER_ERROR/,
    why: "What is no record is an invalid one; Kafka fails with UNKNOWN_SERVER_ERROR for some."
  },
  {
    at: /^Produce, hostile\/hostile: (the same number twice|a key of length -2)\./,
    ours: /INVALID_RECORD|-1|sentence/,
    why: "A record's number is its place in the batch, and null has the one length -1, in every codec; Kafka looks at numbers in compressed batches alone, and takes any negative length for null."
  },
  { at: /^IncrementalAlterConfigs\/unknown operation\./, kafkas: /UNKNOWN_SERVER_ERROR/, why: "Kafka fails; the request is wrong." },
  { at: /^SyncGroup and Heartbeat\/join of a pending member as static\./, kafkas: /UNKNOWN_SERVER_ERROR|^""$/, why: "Kafka fails with an illegal state." },
  {
    at: /^SyncGroup and Heartbeat\/heartbeat afterwards\.errorCode$/,
    kafkas: /REBALANCE_IN_PROGRESS/,
    why: "Who had an id and never joined has nothing to leave to others: no rebalance."
  },
  {
    at: /^(Rounds|Random member)\/.*describe.*memberAssignment$/,
    ours: /^"hex "$/,
    why: "KIP-222: assignments are there while the group is stable; Kafka shows those of the round before."
  },

  { at: /^ElectLeaders\/no time\./, kafkas: /REQUEST_TIMED_OUT/, why: "The answer takes no time: a timeout of 0 is enough." },
  {
    at: /^DescribeTopicPartitions\/empty name\./,
    kafkas: /UNKNOWN_SERVER_ERROR|^-2147483648$/,
    why: "Kafka fails with UNKNOWN_SERVER_ERROR; the name is not allowed."
  },
  {
    at: /^Client quotas\/change: (set, checked|type twice)/,
    ours: /INVALID_REQUEST/,
    kafkas: /NONE/,
    why: "No quota is enforced, so none is accepted."
  },
  {
    at: /^SCRAM credentials\/(set|delete what was set)[^/]*\.errorCode$/,
    ours: /UNSUPPORTED_SASL_MECHANISM|RESOURCE_NOT_FOUND/,
    kafkas: /NONE|UNKNOWN_SERVER_ERROR/,
    why: "There is no SASL listener, so no credential is stored. Kafka stores what its PLAINTEXT listener gets, and fails on an empty password."
  },
  {
    at: /^UpdateFeatures\/(the level that it has|transactions 2) v[12]\.(errorCode|results)$/,
    ours: /INVALID_UPDATE_VERSION|^\[\]$/,
    why: "No feature is advertised (decision 36), so none can be updated."
  },

  {
    at: /^Internal topics\/(create __|produce to __cluster|delete __cluster)/,
    ours: /INVALID_TOPIC_EXCEPTION/,
    why: "An internal topic is refused as such; Kafka lets clients create its internal topics, and does not tell them of its journal."
  },
  {
    at: /^Internal topics\/(create partitions|alter)\./,
    ours: /INVALID_TOPIC_EXCEPTION/,
    kafkas: /NONE/,
    why: "__consumer_offsets is made from the groups' streams: it has as many partitions as they are, and no settings."
  },

  // The same thing, said in another form.
  {
    at: /^Fetch sessions, ends\/the topic is (gone|there again)\..*errorCode$/,
    ours: /UNKNOWN_TOPIC_ID/,
    why: "A session by ids knows no names: an id that is gone is unknown, as outside of a session. Clients ask for metadata in all three cases."
  },
  { at: /^Metadata\/(by id too early|by neither|null name)/, why: "The topic is refused and the nodes are told all the same; Kafka fails the request." },
  { at: /^Metadata\/by id and by name\.topics$/, kafkas: /^\[\]$/, why: "Both are answered; Kafka leaves out names where there are ids." },
  { at: /^DeleteTopics\/by name and by id\.responses$/, ours: /^(?!.*NONE)/, why: "Refused by both ways of naming it; Kafka puts both in one row." },
  { at: /^DescribeConfigs\/the same twice\.results$/, why: "What is asked for twice is answered once." },
  { at: /^FindCoordinator\/a group twice\.coordinators$/, why: "What is asked for twice is answered once." },
  { at: /^OffsetFetch\/a group twice\.groups$/, ours: /^\[\]$/, why: "What is asked for twice is answered once." },
  { at: /^Groups seen\/describe, twice\.groups$/, ours: /^\[\]$/, why: "What is asked for twice is answered once." },
  { at: /^DescribeProducers\/(partition|topic) twice\./, why: "What is asked for twice is answered once, under one entry a topic." },
  { at: /^Transactions\/describe one twice\.transactionStates$/, ours: /^\[\]$/, why: "What is asked for twice is answered once." },
  { at: /^Fetch, several\/some wrong\.responses$/, why: "Kafka answers wrong partitions in an entry of their own; ours has one entry a topic." },
  { at: /^Fetch, several\/the same partition twice\./, why: "Both are answered; Kafka answers the last." }
]

const covers = ({ at, kafkas, ours }: Accepted, difference: Difference): boolean =>
  at.test(difference.at) && (ours?.test(difference.ours) ?? true) && (kafkas?.test(difference.kafkas) ?? true)

/** Why a difference stays; undefined for one that is not accepted. */
export const reasonOf = (difference: Difference, list = accepted): string | undefined => list.find((each) => covers(each, difference))?.why

/** Differences that are not accepted, and entries without a difference, which can be removed from the list. */
export const judged = (
  found: ReadonlyArray<Difference>,
  list = accepted
): { readonly unexpected: ReadonlyArray<Difference>; readonly idle: ReadonlyArray<string> } => ({
  unexpected: found.filter((difference) => !list.some((each) => covers(each, difference))),
  idle: list.filter((each) => !found.some((difference) => covers(each, difference))).map(({ at }) => String(at))
})
