// Compacted BOOTSTRAP ROUNDS: fills the topic `compacted` with what a cleaner has to be careful with: every codec, keys again and
// again, tombstones, headers, idempotent producers, transactions that commit and that abort, several at a time. The topic is
// not cleaned before its dirty ratio is lowered. Run from its source, with Kafka's jars on the class path.

import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;

public class Compacted {
    static final String TOPIC = "compacted";
    static final Random random = new Random(4);

    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            Map<String, String> configs = Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "1.0",
                    "segment.bytes", "1048576", "index.interval.bytes", "4096");
            admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1).configs(configs))).all().get();
        }
        for (int round = 0; round < Integer.parseInt(args[1]); round++) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                try (Producer<String, String> plain = producer(args[0], codec, null);
                     Producer<String, String> first = producer(args[0], codec, "first-" + codec);
                     Producer<String, String> second = producer(args[0], codec, "second-" + codec)) {
                    first.initTransactions();
                    second.initTransactions();
                    for (int i = 0; i < 40; i++) {
                        first.beginTransaction();
                        second.beginTransaction();
                        some(plain, 20);
                        some(first, 10);
                        some(second, 15);
                        some(first, 1 + i % 5);
                        end(first, i % 3 == 0);
                        end(second, i % 4 == 1);
                        some(plain, 3);
                    }
                }
            }
        }
    }

    static Producer<String, String> producer(String bootstrap, String codec, String transactionalId) {
        Map<String, Object> configs = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "compression.type", codec,
                "linger.ms", "2", "batch.size", "3000"));
        if (transactionalId != null) {
            configs.put("transactional.id", transactionalId);
        }
        return new KafkaProducer<>(configs, new StringSerializer(), new StringSerializer());
    }

    static void some(Producer<String, String> producer, int count) throws ExecutionException, InterruptedException {
        for (int i = 0; i < count; i++) {
            // Half of the keys are common, half of them rare.
            String key = "key " + (random.nextBoolean() ? random.nextInt(40) : random.nextInt(4000));
            String value = random.nextInt(8) == 0 ? null : value();
            ProducerRecord<String, String> record = new ProducerRecord<>(TOPIC, 0, key, value);
            if (random.nextInt(5) == 0) {
                record.headers().add("header", key.getBytes(StandardCharsets.UTF_8)).add("empty", null);
            }
            producer.send(record);
        }
        producer.flush();
    }

    static String value() {
        StringBuilder text = new StringBuilder();
        int words = 5 + random.nextInt(40);
        for (int i = 0; i < words; i++) {
            text.append(Integer.toHexString(random.nextInt())).append(' ');
        }
        return text.toString();
    }

    static void end(Producer<String, String> producer, boolean abort) {
        if (abort) {
            producer.abortTransaction();
        } else {
            producer.commitTransaction();
        }
    }
}
