import { family, lists } from "./known/family.ts"
import { int, list, type Setting, text, withoutDefault } from "./setting.ts"

const protocolMap = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"

/** The identity of a node, where it listens, and the addresses of other nodes: fixed when it starts. */
export const listening = {
  "node.id": withoutDefault(int(0, 0, "This node's id; unique in the cluster.")),
  "broker.id": int(-1, -1, "The older name of node.id; -1: not set. Where both are set they must be the same."),
  "process.roles": withoutDefault(
    list("", "What the command must start, if it is set: broker,controller is franz up, controller is franz brokerlead, broker is franz broker.", {
      oneOf: ["broker", "controller"]
    })
  ),
  listeners: list(
    "PLAINTEXT://127.0.0.1:9092",
    "Where the node listens: NAME://HOST:PORT, with a comma between two; a host that is left out is every address of the machine, port 0 takes a free one."
  ),
  "advertised.listeners": withoutDefault(
    list("", "The addresses that clients are told, by the name of the listener through which they came; a listener without one tells where it listens.")
  ),
  "listener.security.protocol.map": text(
    protocolMap,
    "The protocol of each listener, as NAME:PROTOCOL, with a comma between two. Only PLAINTEXT can be served (docs/skipped.md)."
  ),
  "inter.broker.listener.name": withoutDefault(
    text("", "The listener through which other nodes reach this one; empty: the one that security.inter.broker.protocol names.")
  ),
  "security.inter.broker.protocol": text(
    "PLAINTEXT",
    "The protocol between nodes, where inter.broker.listener.name is not set. Only PLAINTEXT can be served.",
    ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
  ),
  "controller.listener.names": withoutDefault(
    list("", "The listeners that serve brokers and administrators what the leader decides, and no client's records or groups.")
  ),
  "controller.quorum.bootstrap.servers": list(
    "",
    "HOST:PORT of each candidate for the leader's role, with a comma between two; franz broker finds the leader among them where --leader is not given."
  ),
  "controller.quorum.voters": list("", "ID@HOST:PORT of each candidate, with a comma between two; read as controller.quorum.bootstrap.servers."),
  "franz.metrics.listener": withoutDefault({
    ...text(
      "",
      "HOST:PORT of the HTTP listener that serves GET /metrics for Prometheus, one for all nodes of the process; empty: none. It has no authentication."
    ),
    form: { pattern: /^$|^(\[[0-9a-fA-F:.]+\]|[^:[\]/\s]+):\d{1,5}$/, expected: "HOST:PORT, e.g. 127.0.0.1:9404" }
  }),
  "log.dir": list("./data", "The older name of log.dirs, which goes before it.")
} satisfies Record<string, Setting<number> | Setting<string>>

export const listeningLater = family("Of the order in which listeners are opened. It has no effect here: all are opened at once.", {
  "early.start.listeners": withoutDefault(lists(""))
})
