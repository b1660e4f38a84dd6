#!/usr/bin/env bash
# Runs real Apache Kafka (KRaft nodes) on 127.0.0.1: the oracle of the interop tests and the other side of every benchmark.
# Needs Java 17 or later and Maven, which brings the jars once. Usage: start PORT (KAFKA_PEER_EXTRA: more settings; KAFKA_PEER_FORMAT: more arguments of the format; KAFKA_PEER_HEAP: 1g; KAFKA_PEER_FLAGS: more options of the Java of a node; KAFKA_PEER_NODE, KAFKA_PEER_CONTROLLER: the id of a further broker, and the port of the first node's controller, which is the first node's port + 1) | again PORT | stop PORT (and its data, unless KAFKA_PEER_KEEP is set) | tool CLASS ARGS… | archive ADDRESS (what the tools load, stored once beside the jars; of a node that answers there) | archived | classpath | available (Kafka can run, its jars may have to come first) | ready (its jars are here)
set -euo pipefail
home=${KAFKA_PEER_HOME:-$HOME/.cache/kafka-peer}
version=${KAFKA_PEER_VERSION:-4.3.1}
lib=$home/lib-$version

ready() { command -v java >/dev/null && [ -f "$lib/.complete" ]; }
available() { command -v java >/dev/null && { command -v mvn >/dev/null || [ -f "$lib/.complete" ]; }; }

jars() {
  [ -f "$lib/.complete" ] && return
  echo "kafka-peer: bringing Apache Kafka $version from Maven Central (once) …" >&2
  mkdir -p "$lib"
  local pom=$home/pom-$version.xml artifact
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>peer</groupId><artifactId>peer</artifactId><version>1</version><dependencies>'
    for artifact in org.apache.kafka:kafka_2.13:$version org.apache.kafka:kafka-tools:$version org.apache.kafka:kafka-streams:$version org.apache.logging.log4j:log4j-core:2.24.3 org.apache.logging.log4j:log4j-slf4j-impl:2.24.3; do
      IFS=: read -r group name at <<<"$artifact"
      echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$at</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$pom"
  mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$lib" -DincludeScope=runtime >&2
  touch "$lib/.complete"
}

logging() {
  [ -f "$home/log4j2.properties" ] && return
  # Two tests may be the first at the same time.
  printf '%s\n' rootLogger.level=ERROR rootLogger.appenderRef.o.ref=O appender.o.type=Console appender.o.name=O appender.o.target=SYSTEM_ERR >"$home/log4j2.properties.$$"
  mv "$home/log4j2.properties.$$" "$home/log4j2.properties"
}

# Where the classes of the tools are, as this version of Java stores them (`archive`): a tool starts in a third of the time with them.
classes() { echo "$home/tools-$version-$(printf '%s %s' "$lib" "$(java -version 2>&1)" | cksum | cut -d' ' -f1).jsa"; }

# `$run` is "exec" where nothing follows: a signal then reaches the tool itself. A tool lives for seconds: the second compiler and the parallel collector cost more than they give.
# Java does not use an archive that does not fit, and says nothing about it.
tool() {
  local stored archived=()
  stored=$(classes)
  if [ -n "${into:-}" ]; then archived=("-XX:ArchiveClassesAtExit=$into"); elif [ -f "$stored" ]; then archived=("-XX:SharedArchiveFile=$stored"); fi
  ${run:-} java "-Xmx${KAFKA_PEER_TOOL_HEAP:-512m}" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xlog:disable -Xlog:all=error:stderr "${archived[@]}" \
    -cp "$lib/*" -Dlog4j2.configurationFile="$home/log4j2.properties" "$@"
}

# Stores the classes: this tool has an admin, a producer and a consumer.
archive() {
  local stored
  stored=$(classes)
  [ -f "$stored" ] && return
  into=$stored.$$ tool org.apache.kafka.tools.EndToEndLatency --bootstrap-server "$1" --topic classes --num-records 50 --producer-acks 1 --record-size 10 >&2
  mv "$stored.$$" "$stored"
}

# The node itself, in the background; its pid goes to pid-PORT.
launch() {
  local heap=${KAFKA_PEER_HEAP:-1g}
  read -ra flags <<<"${KAFKA_PEER_FLAGS:-}"
  java "${flags[@]}" "-Xms$heap" "-Xmx$heap" -XX:+UseG1GC -cp "$lib/*" -Dlog4j2.configurationFile="$home/log4j2.properties" kafka.Kafka "$home/server-$1.properties" \
    >"$home/kafka-$1.log" 2>&1 </dev/null &
  echo $! >"$home/pid-$1"
}

start() {
  local port=$1 data=$home/data-$1 properties=$home/server-$1.properties node=${KAFKA_PEER_NODE:-1} controller=${KAFKA_PEER_CONTROLLER:-$(($1 + 1))}
  local roles=broker listeners=PLAINTEXT://127.0.0.1:$port
  if [ "$controller" = $((port + 1)) ]; then roles=broker,controller listeners=$listeners,CONTROLLER://127.0.0.1:$controller; fi
  rm -rf "$data"
  printf '%s\n' "process.roles=$roles" "node.id=$node" "controller.quorum.voters=1@127.0.0.1:$controller" \
    "listeners=$listeners" "advertised.listeners=PLAINTEXT://127.0.0.1:$port" \
    controller.listener.names=CONTROLLER inter.broker.listener.name=PLAINTEXT listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT \
    "log.dirs=$data" num.partitions=1 offsets.topic.replication.factor=1 transaction.state.log.replication.factor=1 transaction.state.log.min.isr=1 \
    share.coordinator.state.topic.replication.factor=1 share.coordinator.state.topic.min.isr=1 group.initial.rebalance.delay.ms=0 >"$properties"
  [ -z "${KAFKA_PEER_EXTRA:-}" ] || printf '%s\n' "$KAFKA_PEER_EXTRA" >>"$properties"
  read -ra format <<<"${KAFKA_PEER_FORMAT:-}"
  tool kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$properties" "${format[@]}" >&2
  launch "$port"
  for _ in $(seq 240); do
    # One of several nodes: the caller waits until they know each other.
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && { [ -n "${KAFKA_PEER_NODE:-}" ] || tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$port" --list >/dev/null 2>&1; }; then
      cat "$home/pid-$port"
      return
    fi
    kill -0 "$(cat "$home/pid-$port")" 2>/dev/null || { tail -20 "$home/kafka-$port.log" >&2; exit 1; }
    sleep 0.5
  done
  echo "kafka-peer: Kafka did not answer on port $port; its log: $home/kafka-$port.log" >&2
  exit 1
}

mkdir -p "$home"
case ${1:-} in
  start) jars; logging; start "${2:?port}" ;;
  again) launch "${2:?port}"; cat "$home/pid-$2" ;;
  stop) if [ -f "$home/pid-${2:?port}" ]; then pid=$(cat "$home/pid-$2"); kill "$pid" 2>/dev/null || true; while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done; rm -f "$home/pid-$2"; fi
    [ -n "${KAFKA_PEER_KEEP:-}" ] || rm -rf "$home/data-$2" "$home/kafka-$2.log" "$home/server-$2.properties" ;;
  tool) shift; jars; logging; run=exec tool "$@" ;;
  archive) jars; logging; archive "${2:?address}" ;;
  archived) ready && [ -f "$(classes)" ] ;;
  classpath) jars; echo "$lib/*" ;;
  available) available ;;
  ready) ready ;;
  *) sed -n 2,3p "$0" >&2; exit 2 ;;
esac
