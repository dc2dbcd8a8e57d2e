// What the programs of checks share: a check that prints `ok NAME` or `FAIL NAME: why`, an admin client, topics with records,
// and waiting for what comes. Checks mostly wait, so several run at a time: each has topics and groups of its own.

import java.time.Duration;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

class Checks {
    interface Check { void run() throws Exception; }

    static final int AT_A_TIME = 6;
    static final ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME);
    static final AtomicInteger failures = new AtomicInteger();
    static String bootstrap;
    static Admin admin;

    /** `body` names the checks. Ends the process: 1 if one failed. */
    static void all(String address, Runnable body) throws Exception {
        bootstrap = address;
        try (Admin shared = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", 20000,
                "request.timeout.ms", 10000))) {
            admin = shared;
            body.run();
            pool.shutdown();
            isTrue(pool.awaitTermination(10, TimeUnit.MINUTES), "the checks do not come to an end");
        }
        System.out.println(failures.get() == 0 ? "all checks passed" : failures + " checks failed");
        System.exit(failures.get() == 0 ? 0 : 1);
    }

    static void check(String name, Check check) {
        pool.execute(() -> {
            try {
                check.run();
                System.out.println("ok " + name);
            } catch (Throwable e) {
                failures.incrementAndGet();
                Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
                // The line of the check: the programs have no package.
                String at = Arrays.stream(e.getStackTrace()).map(StackTraceElement::toString)
                    .filter(line -> line.matches("(?!Checks)\\w+\\.[\\w$]+\\(.*")).findFirst().orElse("?");
                System.out.println("FAIL " + name + ": " + cause + " at " + at);
            }
        });
    }

    static String fresh(String stem) { return stem + "-" + UUID.randomUUID().toString().substring(0, 8); }

    static String topic(int partitions) throws Exception {
        String name = fresh("topic");
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
        return name;
    }

    static TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    /** 0 where the topic does not exist. */
    static int partitions(String topic) {
        try {
            return describe(topic).partitions().size();
        } catch (Exception e) {
            return 0;
        }
    }

    static void alter(ConfigResource resource, AlterConfigOp... ops) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource, List.of(ops))).all().get();
    }

    static Config config(ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    static ListOffsetsResult.ListOffsetsResultInfo listOffset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
    }

    static long end(String topic) {
        try {
            return listOffset(new TopicPartition(topic, 0), OffsetSpec.latest()).offset();
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static Producer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "delivery.timeout.ms", 20000,
            "request.timeout.ms", 10000, "linger.ms", 0));
        config.putAll(more);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    static Consumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest",
            "default.api.timeout.ms", 20000));
        config.putAll(more);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static void fill(String topic, int partitions, int each) {
        try (Producer<String, String> producer = producer(Map.of("linger.ms", 5))) {
            for (int i = 0; i < partitions * each; i++) {
                producer.send(new ProducerRecord<>(topic, i % partitions, "k" + i, "v" + i));
            }
        }
    }

    static List<ConsumerRecord<String, String>> readAll(String topic, int partition) throws Exception {
        TopicPartition only = new TopicPartition(topic, partition);
        try (Consumer<String, String> consumer = consumer(Map.of())) {
            consumer.assign(List.of(only));
            long start = consumer.beginningOffsets(List.of(only)).get(only);
            long end = consumer.endOffsets(List.of(only)).get(only);
            consumer.seek(only, start);
            return read(consumer, (int) (end - start));
        }
    }

    static List<ConsumerRecord<String, String>> read(Consumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> read = new ArrayList<>();
        until(() -> {
            consumer.poll(Duration.ofMillis(100)).forEach(read::add);
            return read.size() >= count;
        }, count + " records");
        return read;
    }

    static void assigned(Consumer<String, String> consumer, int partitions) {
        until(() -> {
            consumer.poll(Duration.ofMillis(100));
            return consumer.assignment().size() == partitions;
        }, partitions + " partitions");
    }

    static void until(BooleanSupplier condition, String what) {
        Instant deadline = Instant.now().plusSeconds(40);
        while (!condition.getAsBoolean()) {
            isTrue(Instant.now().isBefore(deadline), "timed out waiting for " + what);
        }
    }

    static void equal(Object expected, Object actual) {
        isTrue(Objects.equals(expected, actual), "expected " + expected + ", got " + actual);
    }

    static void isTrue(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void fails(Class<? extends Exception> with, KafkaFuture<?> future) throws Exception {
        try {
            future.get();
        } catch (ExecutionException e) {
            equal(with, e.getCause().getClass());
            return;
        }
        throw new AssertionError("expected " + with.getSimpleName());
    }

    static void throwing(Class<? extends Exception> expected, Check check) throws Exception {
        try {
            check.run();
        } catch (Exception e) {
            equal(expected, e.getClass());
            return;
        }
        throw new AssertionError("expected " + expected.getSimpleName());
    }
}
