const noZooKeeper = "there is no ZooKeeper"
const noLongerIn = (version: string) => `Kafka ${version} has it no more`

/**
 * Settings of Kafka 2 and 3 that Kafka 4 does not have; a file that names them starts, as with Kafka 4, and its
 * operator is told why they change nothing.
 */
export const removedSettings: Readonly<Record<string, string>> = {
  "advertised.host.name": "advertised.listeners says it",
  "advertised.port": "advertised.listeners says it",
  "auto.include.jmx.reporter": noLongerIn("4"),
  "broker.id.generation.enable": noZooKeeper,
  "control.plane.listener.name": noZooKeeper,
  "controlled.shutdown.max.retries": noLongerIn("4"),
  "controlled.shutdown.retry.backoff.ms": noLongerIn("4"),
  "delegation.token.master.key": "there are no tokens",
  "eligible.leader.replicas.enable": noLongerIn("4"),
  "group.coordinator.new.enable": noLongerIn("4"),
  "host.name": "listeners says it",
  "inter.broker.protocol.version": noLongerIn("4"),
  "kafka.metrics.csv.enabled": noLongerIn("4"),
  "leader.imbalance.per.broker.percentage": noLongerIn("4"),
  "log.message.downconversion.enable": noLongerIn("4"),
  "log.message.format.version": noLongerIn("4"),
  "log.message.timestamp.difference.max.ms": "log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms say it",
  "offsets.commit.required.acks": noLongerIn("4"),
  "password.encoder.cipher.algorithm": noZooKeeper,
  "password.encoder.iterations": noZooKeeper,
  "password.encoder.key.length": noZooKeeper,
  "password.encoder.keyfactory.algorithm": noZooKeeper,
  "password.encoder.old.secret": noZooKeeper,
  "password.encoder.secret": noZooKeeper,
  port: "listeners says it",
  "quota.consumer.default": noLongerIn("3"),
  "quota.producer.default": noLongerIn("3"),
  "replica.lag.max.messages": noLongerIn("1"),
  "reserved.broker.max.id": noZooKeeper
}

/**
 * Settings of what Kafka loads: their names are made by the operator, or by the class that reads them. Each family with
 * why it changes nothing; those that would ask for security are refused before.
 */
const families: ReadonlyArray<readonly [RegExp, string]> = [
  [/^zookeeper\./, noZooKeeper],
  [/^listener\.name\.[^.]+\.[a-z0-9.-]+$/, "a listener has the node's settings"],
  [/^(rsm|rlmm)\.config\./, "there is no tiered storage"],
  [/^(metrics?|kafka\.metrics|client\.quota|confluent|log4j|kafka\.logs)\./, "no Java class reads it"]
]

/** Why a setting that is none of Kafka 4's changes nothing; undefined for a name that is not known. */
export const whyRemoved = (name: string): string | undefined =>
  Object.hasOwn(removedSettings, name) ? removedSettings[name] : families.find(([pattern]) => pattern.test(name))?.[1]

/**
 * The setting under the prefix of a listener: `ssl.keystore.location` of
 * `listener.name.external.ssl.keystore.location`.
 */
export const ofListener = (name: string): string | undefined => /^listener\.name\.[^.]+\.(.+)$/.exec(name)?.[1]

/** What an authorizer reads, and why any other value than this one is refused. */
export const authorizerSettings: Readonly<Record<string, string>> = { "super.users": "", "allow.everyone.if.no.acl.found": "true" }
