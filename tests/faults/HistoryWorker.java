// HistoryWorker ROLE BOOTSTRAP ...: a client of the histories of transactions, by Kafka's own clients, until its input ends. What
// it prints is told in tests/e2e/exactly_once/told.rs. One whose library says that it cannot go on ends with status 1. Run
// with Kafka's jars on the class path.
//
// move BOOTSTRAP FROM GROUP TO PARTITIONS ID NAME SEED
// read BOOTSTRAP TOPIC PARTITIONS
// commit BOOTSTRAP TOPIC GROUP FIRST

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class HistoryWorker {
    static final int INPUT_MAX = 5;
    static final int RECORDS_MAX = 3;
    static final int ABORTED_ONE_IN = 6;
    static final int TRIES = 3;
    static final int LOOK_EVERY = 10;
    static final Duration A_WHILE = Duration.ofMillis(100);

    static volatile boolean stopped;
    static String bootstrap;

    public static void main(String[] args) throws InterruptedException {
        Thread input = new Thread(HistoryWorker::awaitEndOfInput);
        input.setDaemon(true);
        input.start();
        bootstrap = args[1];
        String[] words = Arrays.copyOfRange(args, 2, args.length);
        try {
            switch (args[0]) {
                case "move" -> new Mover(words).run();
                case "read" -> read(words[0], Integer.parseInt(words[1]));
                case "commit" -> commit(words[0], words[1], Long.parseLong(words[2]));
                default -> throw new IllegalArgumentException(args[0]);
            }
        } catch (KafkaException | IllegalStateException error) {
            error.printStackTrace();
            // Without a farewell, which would wait for those who are gone.
            Runtime.getRuntime().halt(1);
        }
    }

    static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static Map<String, Object> common(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "retry.backoff.ms", 50,
                "reconnect.backoff.ms", 20, "reconnect.backoff.max.ms", 200, "request.timeout.ms", 5000));
        config.putAll(more);
        return config;
    }

    static KafkaConsumer<byte[], String> consumer(Map<String, Object> more) {
        Map<String, Object> config = common(Map.of("auto.offset.reset", "earliest", "enable.auto.commit", false,
                "isolation.level", "read_committed", "fetch.max.wait.ms", 50, "max.poll.records", INPUT_MAX,
                "default.api.timeout.ms", 5000));
        config.putAll(more);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new StringDeserializer());
    }

    /** A call that timed out is to be repeated: its outcome is still open then. */
    static void again(Runnable what) {
        for (int tries = 1; ; tries++) {
            try {
                what.run();
                return;
            } catch (TimeoutException error) {
                if (tries == TRIES) throw error;
            }
        }
    }

    static class Mover {
        final String target, name;
        final int partitions;
        final Random random;
        final KafkaProducer<byte[], String> producer;
        final KafkaConsumer<byte[], String> consumer;
        int number;

        Mover(String[] words) {
            target = words[2];
            partitions = Integer.parseInt(words[3]);
            name = words[5];
            random = new Random(Long.parseLong(words[6]));
            producer = new KafkaProducer<>(common(Map.of("transactional.id", words[4], "transaction.timeout.ms", 5000,
                    "max.block.ms", 5000, "delivery.timeout.ms", 10000, "linger.ms", 0)),
                    new ByteArraySerializer(), new StringSerializer());
            again(producer::initTransactions);
            consumer = consumer(Map.of("group.id", words[1], "client.id", name, "session.timeout.ms", 3000,
                    "heartbeat.interval.ms", 500,
                    "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor"));
            consumer.subscribe(List.of(words[0]));
        }

        void run() {
            while (!stopped) {
                ConsumerRecords<byte[], String> records = consumer.poll(A_WHILE);
                if (!records.isEmpty()) work(records);
            }
            producer.close();
            consumer.close();
        }

        void work(ConsumerRecords<byte[], String> records) {
            Map<TopicPartition, Long> starts = new LinkedHashMap<>();
            Map<TopicPartition, OffsetAndMetadata> ends = new HashMap<>();
            StringBuilder ranges = new StringBuilder();
            for (TopicPartition at : records.partitions()) {
                var ofPartition = records.records(at);
                long start = ofPartition.get(0).offset();
                long end = ofPartition.get(ofPartition.size() - 1).offset() + 1;
                starts.put(at, start);
                ends.put(at, new OffsetAndMetadata(end));
                ranges.append(" " + at.partition() + ":" + start + ":" + end);
            }
            say("begin" + ranges);
            producer.beginTransaction();
            try {
                int count = 1 + random.nextInt(RECORDS_MAX);
                for (int n = 0; n < count; n++) {
                    for (int partition = 0; partition < partitions; partition++) {
                        String value = name + "/" + number + "/" + partition + "/" + n;
                        say("send " + partition + " " + value);
                        producer.send(new ProducerRecord<>(target, partition, null, value));
                    }
                }
                number++;
                producer.sendOffsetsToTransaction(ends, consumer.groupMetadata());
                if (random.nextInt(ABORTED_ONE_IN) == 0) {
                    abort(starts);
                    return;
                }
                say("commit");
                again(producer::commitTransaction);
                say("committed");
            } catch (ProducerFencedException | OutOfOrderSequenceException | AuthorizationException | TimeoutException error) {
                throw error;
            } catch (KafkaException error) {
                System.err.println("aborts: " + error);
                abort(starts);
            }
        }

        void abort(Map<TopicPartition, Long> starts) {
            again(producer::abortTransaction);
            say("aborted");
            // What is not ours any more its next owner begins at what is committed.
            Set<TopicPartition> ours = consumer.assignment();
            starts.forEach((at, start) -> {
                if (ours.contains(at)) consumer.seek(at, start);
            });
        }
    }

    static void read(String topic, int partitions) {
        try (var consumer = consumer(Map.of())) {
            consumer.assign(IntStream.range(0, partitions).mapToObj(n -> new TopicPartition(topic, n)).toList());
            while (!stopped) {
                for (var record : consumer.poll(A_WHILE)) {
                    say("seen " + record.partition() + " " + record.offset() + " " + record.value());
                }
            }
        }
    }

    static void commit(String topic, String group, long first) throws InterruptedException {
        TopicPartition at = new TopicPartition(topic, 0);
        try (var consumer = consumer(Map.of("group.id", group))) {
            consumer.assign(List.of(at));
            for (long offset = first; !stopped; offset++) {
                try {
                    if (offset % LOOK_EVERY == 1) {
                        OffsetAndMetadata found = consumer.committed(Set.of(at)).get(at);
                        say("found " + (found == null ? 0 : found.offset()));
                    }
                    say("asked " + offset);
                    consumer.commitSync(Map.of(at, new OffsetAndMetadata(offset)));
                    say("acknowledged " + offset);
                } catch (KafkaException error) {
                    System.err.println("does not know: " + error);
                }
                Thread.sleep(20);
            }
        }
    }

    static void awaitEndOfInput() {
        try {
            System.in.readAllBytes();
        } catch (IOException error) {
            System.err.println(error);
        }
        stopped = true;
    }
}
