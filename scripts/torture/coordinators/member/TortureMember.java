import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * BOOTSTRAP TOPIC GROUP MEMBERS: members of Kafka's Java consumer, a thread each. Prints the lines that scripts/torture/coordinators/member-line.ts describes, and ends
 * with its standard input.
 */
public class TortureMember {
  static final long COMMIT_EVERY_NS = 100_000_000;
  static final Duration COMMIT_WITHIN = Duration.ofSeconds(60);

  static void line(Object... fields) {
    StringBuilder text = new StringBuilder();
    for (Object field : fields) text.append(text.length() == 0 ? "" : "\t").append(String.valueOf(field).replace('\n', ' '));
    System.out.println(text);
  }

  record Listener(int nth) implements ConsumerRebalanceListener {
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      line("g", System.currentTimeMillis(), nth, partitions.stream().map(each -> String.valueOf(each.partition())).collect(Collectors.joining(",")));
    }

    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      line("v", System.currentTimeMillis(), nth, "revoked " + partitions);
    }

    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      line("v", System.currentTimeMillis(), nth, "lost " + partitions);
    }
  }

  static void member(String bootstrap, String topic, String group, int nth) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("client.id", "java-" + nth);
    settings.put("group.id", group);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("request.timeout.ms", "5000");
    settings.put("session.timeout.ms", "120000");
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    Map<TopicPartition, OffsetAndMetadata> following = new HashMap<>();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
      consumer.subscribe(List.of(topic), new Listener(nth));
      for (long committed = 0; ; ) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(50))) {
          line("r", nth, record.partition(), record.offset());
          following.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        if (following.isEmpty() || System.nanoTime() - committed < COMMIT_EVERY_NS) continue;
        committed = System.nanoTime();
        try {
          consumer.commitSync(following, COMMIT_WITHIN);
          String offsets = following.entrySet().stream().map(each -> each.getKey().partition() + ":" + each.getValue().offset()).collect(Collectors.joining(","));
          line("c", System.currentTimeMillis(), nth, consumer.groupMetadata().generationId(), offsets);
        } catch (RetriableException cause) {
          line("e", System.currentTimeMillis(), nth, cause);
        }
      }
    } catch (Exception cause) {
      line("!", "member " + nth + " failed: " + cause);
    }
  }

  public static void main(String[] args) throws Exception {
    for (int nth = 0; nth < Integer.parseInt(args[3]); nth++) {
      int number = nth;
      new Thread(() -> member(args[0], args[1], args[2], number)).start();
    }
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(0);
  }
}
