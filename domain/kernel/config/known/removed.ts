const noZooKeeper = "there is no ZooKeeper"
const noLongerIn = (version: string) => `Kafka ${version} has it no more`

/**
 * Settings of Kafka 2 and 3 that Kafka 4 removed. A node starts with a file that names them, as Kafka 4 does, and
 * logs why they have no effect.
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
 * Settings of classes that Kafka loads: the operator, or the class that reads them, chooses their names. Each family has
 * the reason why it has no effect; the loader has already refused those that require security.
 */
const families: ReadonlyArray<readonly [RegExp, string]> = [
  [/^zookeeper\./, noZooKeeper],
  [/^listener\.name\.[^.]+\.[a-z0-9.-]+$/, "a listener has the node's settings"],
  [/^(rsm|rlmm)\.config\./, "there is no tiered storage"],
  [/^(metrics?|kafka\.metrics|client\.quota|confluent|log4j|kafka\.logs)\./, "no Java class reads it"]
]

/** Returns why a setting that Kafka 4 does not have has no effect; undefined for an unknown name. */
export const whyRemoved = (name: string): string | undefined =>
  Object.hasOwn(removedSettings, name) ? removedSettings[name] : families.find(([pattern]) => pattern.test(name))?.[1]

/**
 * Returns the setting under the prefix of a listener: `ssl.keystore.location` of
 * `listener.name.external.ssl.keystore.location`.
 */
export const ofListener = (name: string): string | undefined => /^listener\.name\.[^.]+\.(.+)$/.exec(name)?.[1]

/** Settings of an authorizer, each with the only value that is accepted. */
export const authorizerSettings: Readonly<Record<string, string>> = { "super.users": "", "allow.everyone.if.no.acl.found": "true" }
