// Clients BOOTSTRAP: Kafka's own Java clients against a running broker. One line for each check, `ok NAME` or
// `FAIL NAME: why`; exit status 1 if any failed. Groups are in Groups.java.

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

public class Clients extends Checks {
    public static void main(String[] args) throws Exception {
        all(args[0], Clients::run);
    }

    static void run() {
        check("cluster has one node and a controller", Clients::cluster);
        check("topics are created, described, grown, listed and deleted", Clients::topicLife);
        check("wrong topics are refused by name", Clients::wrongTopics);
        check("topic configs are altered and described", Clients::topicConfigs);
        check("broker configs are described", Clients::brokerConfigs);
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            check("records come back as sent, " + codec, () -> roundTrip(codec));
        }
        for (String acks : List.of("0", "1", "all")) {
            check("acks=" + acks + " without idempotence", () -> acks(acks));
        }
        check("an idempotent producer keeps order with five requests in flight", Clients::idempotent);
        check("keys go where the default partitioner sends them", Clients::keys);
        check("a record over max.message.bytes is refused and the next one is not", Clients::tooLarge);
        check("offsets by position, time and greatest timestamp", Clients::offsets);
        check("seek, pause and resume", Clients::seekAndPause);
        check("records are deleted up to an offset", Clients::deleteRecords);
        check("log directories are described", Clients::logDirs);
        check("a partition moves to another log directory", Clients::moveBetweenLogDirs);
        check("what the cluster does not have is told", Clients::unsupported);
    }

    // ------------------------------------------------------------------ cluster and topics

    static void cluster() throws Exception {
        DescribeClusterResult cluster = admin.describeCluster();
        equal(1, cluster.nodes().get().size());
        equal(cluster.nodes().get().iterator().next().id(), cluster.controller().get().id());
        isTrue(!cluster.clusterId().get().isEmpty(), "no cluster id");
    }

    static void topicLife() throws Exception {
        String name = fresh("life");
        CreateTopicsResult created = admin.createTopics(List.of(new NewTopic(name, Optional.of(2), Optional.empty())));
        equal(2, created.numPartitions(name).get());
        equal(1, created.replicationFactor(name).get());
        TopicDescription described = describe(name);
        equal(created.topicId(name).get(), described.topicId());
        equal(2, described.partitions().size());
        equal(described.partitions().get(0).replicas(), described.partitions().get(0).isr());
        equal(name, admin.describeTopics(TopicCollection.ofTopicIds(List.of(described.topicId())))
            .allTopicIds().get().get(described.topicId()).name());
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all().get();
        until(() -> partitions(name) == 5, "five partitions");
        fails(InvalidPartitionsException.class, admin.createPartitions(Map.of(name, NewPartitions.increaseTo(3))).all());
        isTrue(admin.listTopics().names().get().contains(name), "not listed");
        admin.deleteTopics(List.of(name)).all().get();
        until(() -> partitions(name) == 0, "no topic");
    }

    static void wrongTopics() throws Exception {
        String name = topic(1);
        fails(TopicExistsException.class, admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all());
        for (String bad : List.of("..", "a/b", "x".repeat(250), "")) {
            fails(InvalidTopicException.class, admin.createTopics(List.of(new NewTopic(bad, 1, (short) 1))).all());
        }
        fails(InvalidPartitionsException.class, admin.createTopics(List.of(new NewTopic(fresh("bad"), 0, (short) 1))).all());
        fails(InvalidReplicationFactorException.class,
            admin.createTopics(List.of(new NewTopic(fresh("bad"), 1, (short) 2))).all());
        fails(InvalidConfigurationException.class, admin.createTopics(List.of(
            new NewTopic(fresh("bad"), 1, (short) 1).configs(Map.of("retention.ms", "soon")))).all());
        fails(UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of(fresh("never"))).all());
        String tried = fresh("tried");
        admin.createTopics(List.of(new NewTopic(tried, 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        isTrue(!admin.listTopics().names().get().contains(tried), "validate-only created a topic");
    }

    static void topicConfigs() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic(1));
        alter(resource, new AlterConfigOp(new ConfigEntry("retention.ms", "123456"), AlterConfigOp.OpType.SET));
        equal("123456", config(resource).get("retention.ms").value());
        equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, config(resource).get("retention.ms").source());
        alter(resource, new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE));
        equal("604800000", config(resource).get("retention.ms").value());
        fails(InvalidConfigurationException.class, admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("no.such.key", "1"), AlterConfigOp.OpType.SET)))).all());
    }

    static void brokerConfigs() throws Exception {
        int id = admin.describeCluster().controller().get().id();
        Config config = config(new ConfigResource(ConfigResource.Type.BROKER, String.valueOf(id)));
        equal("1048588", config.get("message.max.bytes").value());
        isTrue(config.entries().size() > 150, "only " + config.entries().size() + " broker keys");
    }

    // ------------------------------------------------------------------ produce and fetch

    static void roundTrip(String codec) throws Exception {
        String topic = topic(2);
        List<ProducerRecord<String, String>> sent = new ArrayList<>();
        try (Producer<String, String> producer = producer(Map.of("compression.type", codec, "linger.ms", 20))) {
            for (int i = 0; i < 200; i++) {
                String key = i % 5 == 0 ? null : "key-" + i;
                String value = i % 7 == 0 ? null : "value " + i + " " + "x".repeat(i);
                var record = new ProducerRecord<>(topic, i % 2, 1_700_000_000_000L + i, key, value);
                record.headers().add("index", String.valueOf(i).getBytes(StandardCharsets.UTF_8));
                record.headers().add("twice", new byte[] {1}).add("twice", null);
                sent.add(record);
                producer.send(record);
            }
        }
        for (int p = 0; p < 2; p++) {
            int partition = p;
            List<ConsumerRecord<String, String>> read = readAll(topic, partition);
            List<ProducerRecord<String, String>> expected = sent.stream().filter(r -> r.partition() == partition).toList();
            equal(expected.size(), read.size());
            for (int i = 0; i < read.size(); i++) {
                equal(expected.get(i).key(), read.get(i).key());
                equal(expected.get(i).value(), read.get(i).value());
                equal(expected.get(i).timestamp(), read.get(i).timestamp());
                equal((long) i, read.get(i).offset());
                Header[] headers = read.get(i).headers().toArray();
                equal(3, headers.length);
                isTrue(Arrays.equals(expected.get(i).headers().toArray()[0].value(), headers[0].value()), "header changed");
                isTrue(headers[2].key().equals("twice") && headers[2].value() == null, "null header changed");
            }
        }
    }

    static void acks(String acks) throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = producer(Map.of("acks", acks, "enable.idempotence", false))) {
            for (int i = 0; i < 100; i++) {
                RecordMetadata metadata = producer.send(new ProducerRecord<>(topic, "v" + i)).get();
                equal(acks.equals("0") ? -1L : (long) i, metadata.offset());
            }
        }
        until(() -> end(topic) == 100, "100 records");
    }

    static void idempotent() throws Exception {
        String topic = topic(1);
        Map<String, Object> config = Map.of("batch.size", 200, "max.in.flight.requests.per.connection", 5);
        try (Producer<String, String> producer = producer(config)) {
            for (int i = 0; i < 5000; i++) {
                producer.send(new ProducerRecord<>(topic, String.valueOf(i)));
            }
        }
        List<String> expected = IntStream.range(0, 5000).mapToObj(String::valueOf).toList();
        equal(expected, readAll(topic, 0).stream().map(ConsumerRecord::value).toList());
    }

    static void keys() throws Exception {
        String topic = topic(7);
        try (Producer<String, String> producer = producer(Map.of())) {
            for (int i = 0; i < 50; i++) {
                byte[] key = ("k" + i).getBytes(StandardCharsets.UTF_8);
                int expected = org.apache.kafka.common.utils.Utils.toPositive(org.apache.kafka.common.utils.Utils.murmur2(key)) % 7;
                equal(expected, producer.send(new ProducerRecord<>(topic, "k" + i, "v")).get().partition());
            }
        }
    }

    static void tooLarge() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = producer(Map.of("max.request.size", 8_000_000))) {
            try {
                producer.send(new ProducerRecord<>(topic, "x".repeat(2_000_000))).get();
                throw new AssertionError("the record was taken");
            } catch (ExecutionException e) {
                equal(RecordTooLargeException.class, e.getCause().getClass());
            }
            equal(0L, producer.send(new ProducerRecord<>(topic, "small")).get().offset());
        }
    }

    static void offsets() throws Exception {
        String topic = topic(1);
        long base = 1_700_000_000_000L;
        try (Producer<String, String> producer = producer(Map.of())) {
            for (long at : new long[] {0, 100, 500, 300}) {
                producer.send(new ProducerRecord<>(topic, 0, base + at, "k", "v")).get();
            }
        }
        TopicPartition partition = new TopicPartition(topic, 0);
        equal(0L, listOffset(partition, OffsetSpec.earliest()).offset());
        equal(4L, listOffset(partition, OffsetSpec.latest()).offset());
        equal(2L, listOffset(partition, OffsetSpec.maxTimestamp()).offset());
        equal(1L, listOffset(partition, OffsetSpec.forTimestamp(base + 50)).offset());
        equal(-1L, listOffset(partition, OffsetSpec.forTimestamp(base + 501)).offset());
        try (Consumer<String, String> consumer = consumer(Map.of())) {
            equal(Map.of(partition, 4L), consumer.endOffsets(List.of(partition)));
            equal(Map.of(partition, 0L), consumer.beginningOffsets(List.of(partition)));
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, base + 301)).get(partition);
            equal(2L, found.offset());
            equal(base + 500, found.timestamp());
        }
    }

    static void seekAndPause() throws Exception {
        String topic = topic(2);
        fill(topic, 2, 50);
        List<TopicPartition> both = List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
        try (Consumer<String, String> consumer = consumer(Map.of("max.poll.records", 10))) {
            consumer.assign(both);
            consumer.pause(List.of(both.get(0)));
            consumer.seek(both.get(1), 45);
            List<ConsumerRecord<String, String>> read = read(consumer, 5);
            equal(List.of(45L, 46L, 47L, 48L, 49L), read.stream().map(ConsumerRecord::offset).toList());
            consumer.resume(List.of(both.get(0)));
            consumer.seekToBeginning(List.of(both.get(0)));
            equal(50, read(consumer, 50).size());
            consumer.seek(both.get(0), 1000);
            // auto.offset.reset=earliest takes over for an offset that is out of range.
            equal(0L, read(consumer, 50).get(0).offset());
        }
    }

    static void deleteRecords() throws Exception {
        String topic = topic(1);
        fill(topic, 1, 20);
        TopicPartition partition = new TopicPartition(topic, 0);
        equal(8L, admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(8)))
            .lowWatermarks().get(partition).get().lowWatermark());
        equal(8L, listOffset(partition, OffsetSpec.earliest()).offset());
        equal(8L, readAll(topic, 0).get(0).offset());
        fails(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(21))).all());
    }

    // ------------------------------------------------------------------ the rest

    static void logDirs() throws Exception {
        String topic = topic(1);
        fill(topic, 1, 10);
        int id = admin.describeCluster().controller().get().id();
        var dirs = admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id).values();
        var holders = dirs.stream().filter(dir -> dir.replicaInfos().containsKey(new TopicPartition(topic, 0))).toList();
        equal(1, holders.size());
        isTrue(holders.get(0).replicaInfos().get(new TopicPartition(topic, 0)).size() > 0, "an empty log");
        isTrue(holders.get(0).totalBytes().orElse(0) > 0, "no size of the disk");
    }

    static void moveBetweenLogDirs() throws Exception {
        String topic = topic(1);
        fill(topic, 1, 1000);
        int id = admin.describeCluster().controller().get().id();
        TopicPartitionReplica replica = new TopicPartitionReplica(topic, 0, id);
        String from = lies(replica);
        String to = admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id).keySet().stream()
            .filter(dir -> !dir.equals(from)).findFirst().orElseThrow();
        admin.alterReplicaLogDirs(Map.of(replica, to)).all().get();
        until(() -> to.equals(lies(replica)), "the partition in the other directory");
        equal(1000L, listOffset(new TopicPartition(topic, 0), OffsetSpec.latest()).offset());
        fill(topic, 1, 1);
        equal(1001L, listOffset(new TopicPartition(topic, 0), OffsetSpec.latest()).offset());
        fails(LogDirNotFoundException.class, admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).all());
    }

    static String lies(TopicPartitionReplica replica) {
        try {
            return admin.describeReplicaLogDirs(List.of(replica)).values().get(replica).get().getCurrentReplicaLogDir();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Neither by the features nor by trying. Apache Kafka has these, so this check is of our broker alone. */
    static void unsupported() throws Exception {
        FeatureMetadata features = admin.describeFeatures().featureMetadata().get();
        for (String name : List.of("share.version", "streams.version")) {
            isTrue(!features.supportedFeatures().containsKey(name), name + " is said to be supported");
            isTrue(!features.finalizedFeatures().containsKey(name), name + " is finalized");
        }
        String group = fresh("share");
        fails(UnsupportedVersionException.class, admin.describeShareGroups(List.of(group)).all());
        fails(UnsupportedVersionException.class, admin.describeStreamsGroups(List.of(group)).all());
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", group);
        try (var consumer = new KafkaShareConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic(1)));
            throwing(UnsupportedVersionException.class, () -> until(() -> {
                consumer.poll(Duration.ofMillis(100));
                return false;
            }, "a refusal"));
        }
    }
}
