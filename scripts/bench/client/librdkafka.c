/*
 * The tasks of measured.ts with librdkafka from C: `librdkafka produce|send|consume ADDRESS TOPIC SECONDS MESSAGES`.
 * Prints one line of JSON. Built by the row with `cc -O2 librdkafka.c -lrdkafka`.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static long delivered, failed, in_flight;
static char value[100];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}
static double cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
/* Not ru_maxrss, which counts the memory of the process that started this one, too. */
static double peak_mib(void) {
  char line[256];
  long kib = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) sscanf(line, "VmHWM: %ld", &kib);
  if (status != NULL) fclose(status);
  return kib / 1024.0;
}
static void report(long messages, double seconds, double cpu_seconds) {
  printf("{\"messages\":%ld,\"seconds\":%f,\"cpuSeconds\":%f,\"peakMiB\":%f}\n", messages, seconds, cpu_seconds, peak_mib());
  fflush(stdout);
  _exit(0);
}
static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  _exit(1);
}
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
  (void)rk;
  (void)opaque;
  in_flight--;
  if (message->err) failed++;
  else delivered++;
}
static void set(rd_kafka_conf_t *conf, const char *name, const char *to) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, to, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
}

static void produce(rd_kafka_conf_t *conf, const char *topic, double seconds, long in_flight_max) {
  char error[256];
  set(conf, "acks", "1");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (rk == NULL) fail(error);
  rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
  // One message first: connecting is no part of the rate.
  in_flight++;
  rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, sizeof value, NULL, 0, NULL);
  while (in_flight > 0) rd_kafka_poll(rk, 100);
  delivered = 0;
  double started = now(), cpu_before = cpu(), end = started + seconds;
  while (now() < end) {
    while (in_flight < in_flight_max) {
      if (rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, sizeof value, NULL, 0, NULL)) break;
      in_flight++;
    }
    rd_kafka_poll(rk, 1);
  }
  rd_kafka_flush(rk, 30000);
  if (failed > 0) fail("messages were not delivered");
  report(delivered, now() - started, cpu() - cpu_before);
}

static void consume(rd_kafka_conf_t *conf, const char *topic, double seconds, long messages) {
  char error[256], group[64];
  snprintf(group, sizeof group, "librdkafka-%d", (int)getpid());
  set(conf, "group.id", group);
  set(conf, "auto.offset.reset", "earliest");
  rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (rk == NULL) fail(error);
  rd_kafka_poll_set_consumer(rk);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  if (rd_kafka_subscribe(rk, topics)) fail("subscribe failed");
  double started = 0, cpu_before = 0;
  for (long seen = 0;;) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 1000);
    double at = now();
    if (message != NULL) {
      if (!message->err) {
        if (seen == 0) {
          started = at;
          cpu_before = cpu();
        }
        seen++;
      }
      rd_kafka_message_destroy(message);
    }
    if (seen >= messages || (seen > 0 && at - started > seconds)) report(seen - 1, at - started, cpu() - cpu_before);
  }
}

int main(int argc, char **argv) {
  if (argc < 6) fail("librdkafka produce|send|consume ADDRESS TOPIC SECONDS MESSAGES");
  memset(value, 'x', sizeof value);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[2]);
  if (!strcmp(argv[1], "consume")) consume(conf, argv[3], atof(argv[4]), atol(argv[5]));
  else produce(conf, argv[3], atof(argv[4]), !strcmp(argv[1], "send") ? 1000 : 2000);
}
