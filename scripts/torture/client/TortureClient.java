import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * BOOTSTRAP TOPIC PARTITIONS PER_SECOND NAME: a producer and a reader of Kafka's Java client. Prints the lines that scripts/torture/client-line.ts describes.
 * "stop" on the standard input ends the sending.
 */
public class TortureClient {
  static final int OUTSTANDING_MAX = 20_000;
  static final int PATIENCE_MS = 300_000;
  static volatile boolean sends = true;

  static void line(Object... fields) {
    StringBuilder text = new StringBuilder();
    for (Object field : fields) text.append(text.length() == 0 ? "" : "\t").append(String.valueOf(field).replace('\n', ' '));
    System.out.println(text);
  }

  static void commands() {
    try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in))) {
      for (String text = input.readLine(); text != null; text = input.readLine()) if (text.equals("stop")) sends = false;
    } catch (Exception cause) {
      line("?", cause);
    }
    Runtime.getRuntime().halt(0);
  }

  static void reading(String bootstrap, String topic, int partitions, String name) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("client.id", name + "-reader");
    settings.put("enable.auto.commit", "false");
    // A log that ends before the position is an error, not a reason to begin anew.
    settings.put("auto.offset.reset", "none");
    settings.put("request.timeout.ms", "5000");
    settings.put("default.api.timeout.ms", "60000");
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
      List<TopicPartition> all = new ArrayList<>();
      for (int partition = 0; partition < partitions; partition++) all.add(new TopicPartition(topic, partition));
      consumer.assign(all);
      for (TopicPartition one : all) consumer.seek(one, 0);
      while (true) {
        try {
          for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) line("r", record.partition(), record.offset(), record.value());
        } catch (RetriableException cause) {
          line("?", cause);
        }
      }
    } catch (Exception cause) {
      line("!", "the reader failed: " + cause);
    }
  }

  static void sending(String bootstrap, String topic, int partitions, double perSecond, String name) throws InterruptedException {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("client.id", name);
    settings.put("enable.idempotence", "true");
    settings.put("acks", "all");
    settings.put("delivery.timeout.ms", String.valueOf(PATIENCE_MS));
    settings.put("max.block.ms", String.valueOf(PATIENCE_MS));
    settings.put("request.timeout.ms", "5000");
    settings.put("key.serializer", StringSerializer.class.getName());
    settings.put("value.serializer", StringSerializer.class.getName());
    Semaphore outstanding = new Semaphore(OUTSTANDING_MAX);
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
      long start = System.nanoTime();
      for (long nth = 0; sends; ) {
        long due = (long) ((System.nanoTime() - start) / 1e9 * perSecond);
        for (; nth < due && outstanding.tryAcquire(); nth++) {
          String value = name + "/" + nth;
          int partition = (int) (nth % partitions);
          line("s", System.currentTimeMillis(), partition, value);
          producer.send(new ProducerRecord<>(topic, partition, null, value), (stored, cause) -> {
            outstanding.release();
            if (cause == null) line("a", System.currentTimeMillis(), stored.partition(), stored.offset(), value);
            else line("u", System.currentTimeMillis(), value, cause);
          });
        }
        Thread.sleep(5);
      }
      producer.flush();
    }
    line("d");
  }

  public static void main(String[] args) throws Exception {
    int partitions = Integer.parseInt(args[2]);
    Thread commands = new Thread(TortureClient::commands);
    commands.setDaemon(true);
    commands.start();
    new Thread(() -> reading(args[0], args[1], partitions, args[4])).start();
    try {
      sending(args[0], args[1], partitions, Double.parseDouble(args[3]), args[4]);
    } catch (Exception cause) {
      line("!", "the producer failed: " + cause);
    }
  }
}
