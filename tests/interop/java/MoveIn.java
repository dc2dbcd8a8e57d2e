// MoveIn STEP BOOTSTRAP [PRODUCER]: what a data directory holds, before and after another broker takes it over.
//
//   fill     writes one of everything that a broker keeps, with transactions; prints the PRODUCER to go on as
//   extend   goes on as that PRODUCER (ID:EPOCH:SEQUENCE:OFFSET of its last record), and adds to everything but
//            transactions; prints the PRODUCER to go on as
//   settle   ends the transaction that `fill` left open, and writes one more
//   show     prints everything, in an order of its own, so that two prints can be compared
//
// Run from its source, with Kafka's jars on the class path. A check that fails is an exception.

import java.io.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.serialization.*;

public class MoveIn {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final long BASE = 1_700_000_000_000L;
    static final String UNTIL_DECIDED = "900000";

    static String bootstrap;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        bootstrap = args[1];
        try (Admin shared = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", 60000))) {
            admin = shared;
            switch (args[0]) {
                case "fill" -> fill();
                case "extend" -> extend(args[2]);
                case "settle" -> settle();
                case "show" -> show();
                default -> throw new IllegalArgumentException(args[0]);
            }
        }
        System.out.flush();
        // A producer with an open transaction would wait for its end.
        Runtime.getRuntime().halt(0);
    }

    // ------------------------------------------------------------------ fill

    static void fill() throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        Map<String, String> segments = Map.of("segment.ms", "60000", "retention.ms", "-1");
        for (String codec : CODECS) {
            topics.add(new NewTopic("plain-" + codec, 2, (short) 1).configs(segments));
        }
        topics.add(new NewTopic("recompressed", 1, (short) 1).configs(Map.of("compression.type", "zstd", "retention.ms", "-1")));
        topics.add(new NewTopic("append-time", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime")));
        topics.add(new NewTopic("compacted", 2, (short) 1).configs(Map.of("cleanup.policy", "compact", "segment.ms", "60000",
            "min.cleanable.dirty.ratio", "0.01")));
        topics.add(new NewTopic("transactions", 2, (short) 1).configs(segments));
        topics.add(new NewTopic("sequence", 1, (short) 1));
        topics.add(new NewTopic("unused", 3, (short) 1));
        topics.add(new NewTopic("deleted", 1, (short) 1));
        admin.createTopics(topics).all().get();
        for (String codec : CODECS) {
            send("plain-" + codec, 2, 60, codec, 0);
        }
        send("recompressed", 1, 20, "gzip", 0);
        send("append-time", 1, 20, "lz4", 0);
        send("deleted", 1, 5, "none", 0);
        duplicates("kafka");
        admin.deleteTopics(List.of("deleted")).all().get();
        admin.deleteRecords(Map.of(new TopicPartition("plain-gzip", 0), RecordsToDelete.beforeOffset(17))).all().get();
        alter(ConfigResource.Type.TOPIC, "plain-none", "retention.bytes", "123456789");
        alter(ConfigResource.Type.BROKER, "", "message.max.bytes", "1500000");
        alter(ConfigResource.Type.BROKER, "1", "log.cleaner.threads", "2");
        commit("movers", Map.of(new TopicPartition("plain-none", 0), new OffsetAndMetadata(11, "eleven"),
            new TopicPartition("plain-none", 1), new OffsetAndMetadata(5)));
        transactions();
        System.out.println(initProducer());
    }

    /** Records over many minutes, so that segments roll; keys, values and headers of all kinds. */
    static void send(String topic, int partitions, int each, String codec, int from) throws Exception {
        try (Producer<byte[], byte[]> producer = producer(Map.of("compression.type", codec, "linger.ms", 5))) {
            for (int i = from; i < from + each; i++) {
                for (int p = 0; p < partitions; p++) {
                    byte[] key = i % 5 == 0 ? null : bytes("key-" + i);
                    byte[] value = i % 7 == 0 ? null : bytes("value " + i + " " + "x".repeat(i));
                    var record = new ProducerRecord<>(topic, p, BASE + i * 7_000L, key, value);
                    record.headers().add("index", bytes(String.valueOf(i))).add("none", null);
                    producer.send(record);
                }
                if (i % 3 == 0) producer.flush();
            }
        }
    }

    /** Twelve keys again and again, one of them deleted in the end, over several segments. */
    static void duplicates(String by) throws Exception {
        try (Producer<byte[], byte[]> producer = producer(Map.of("linger.ms", 5))) {
            for (int i = 0; i < 200; i++) {
                String key = "key-" + i % 12;
                byte[] value = i >= 190 && i % 12 == 0 ? null : bytes(by + " " + i);
                producer.send(new ProducerRecord<>("compacted", i % 2, System.currentTimeMillis() + i * 1_000L, bytes(key), value));
                if (i % 10 == 0) producer.flush();
            }
        }
    }

    static void transactions() throws Exception {
        TopicPartition of = new TopicPartition("plain-none", 0);
        try (Producer<byte[], byte[]> one = transactional("one"); Producer<byte[], byte[]> two = transactional("two")) {
            for (int round = 0; round < 6; round++) {
                one.beginTransaction();
                two.beginTransaction();
                inTransaction(one, "one " + round, round);
                inTransaction(two, "two " + round, round);
                inTransaction(one, "one again " + round, round);
                one.sendOffsetsToTransaction(Map.of(of, new OffsetAndMetadata(100 + round)), metadata("in-transactions"));
                if (round % 2 == 0) one.commitTransaction(); else one.abortTransaction();
                inTransaction(two, "two again " + round, round);
                if (round % 3 == 0) two.commitTransaction(); else two.abortTransaction();
            }
        }
        Producer<byte[], byte[]> open = transactional("open");
        open.beginTransaction();
        open.send(new ProducerRecord<>("transactions", 1, null, bytes("open"))).get();
        open.sendOffsetsToTransaction(Map.of(of, new OffsetAndMetadata(999)), metadata("in-open-transaction"));
        open.flush();
        // Left as it is: this process ends without a word to the broker.
        try (Producer<byte[], byte[]> outside = producer(Map.of())) {
            outside.send(new ProducerRecord<>("transactions", 1, null, bytes("outside"))).get();
        }
    }

    static void inTransaction(Producer<byte[], byte[]> producer, String value, int round) {
        for (int p = 0; p < 2; p++) {
            producer.send(new ProducerRecord<>("transactions", p, BASE + round * 100_000L, bytes("key"), bytes(value + " " + p)));
        }
        producer.flush();
    }

    // ------------------------------------------------------------------ extend and settle

    static void extend(String producer) throws Exception {
        System.out.println(goOnAs(producer));
        for (String codec : CODECS) {
            send("plain-" + codec, 2, 15, codec, 60);
        }
        send("recompressed", 1, 5, "snappy", 20);
        send("append-time", 1, 5, "none", 20);
        duplicates("extended");
        String mark = "extended-" + System.currentTimeMillis();
        admin.createTopics(List.of(new NewTopic(mark, 2, (short) 1).configs(Map.of("retention.ms", "-1")))).all().get();
        send(mark, 2, 30, "zstd", 0);
        int partitions = admin.describeTopics(List.of("plain-snappy")).allTopicNames().get().get("plain-snappy").partitions().size();
        admin.createPartitions(Map.of("plain-snappy", NewPartitions.increaseTo(partitions + 1))).all().get();
        if (admin.listTopics().names().get().contains("unused")) {
            admin.deleteTopics(List.of("unused")).all().get();
        }
        admin.deleteRecords(Map.of(new TopicPartition("plain-zstd", 0), RecordsToDelete.beforeOffset(40))).all().get();
        alter(ConfigResource.Type.TOPIC, "plain-lz4", "max.message.bytes", "654321");
        alter(ConfigResource.Type.BROKER, "", "message.max.bytes", "1600000");
        commit("movers", Map.of(new TopicPartition("plain-none", 1), new OffsetAndMetadata(33, "later")));
        commit(mark, Map.of(new TopicPartition(mark, 0), new OffsetAndMetadata(3)));
    }

    static void settle() throws Exception {
        try (Producer<byte[], byte[]> open = transactional("open")) {
            open.beginTransaction();
            open.send(new ProducerRecord<>("transactions", 1, null, bytes("settled"))).get();
            open.commitTransaction();
        }
        TopicPartition partition = new TopicPartition("transactions", 1);
        until(() -> end(partition, IsolationLevel.READ_COMMITTED) == end(partition, IsolationLevel.READ_UNCOMMITTED), "nothing open");
        List<String> last = read(partition, IsolationLevel.READ_COMMITTED).stream().map(r -> text(r.value())).toList();
        isTrue(last.get(last.size() - 1).equals("settled"), "not settled: " + last);
        isTrue(!last.contains("open") && last.contains("outside"), "the open transaction was not aborted: " + last);
    }

    // ------------------------------------------------------------------ an idempotent producer, request by request

    static String initProducer() throws Exception {
        var request = new InitProducerIdRequest.Builder(new InitProducerIdRequestData().setTransactionalId(null)
            .setTransactionTimeoutMs(60_000).setProducerId(-1).setProducerEpoch((short) -1)).build((short) 4);
        var data = ((InitProducerIdResponse) call(request)).data();
        isTrue(data.errorCode() == 0, "no producer id: " + data);
        long offset = -1;
        for (int sequence = 0; sequence < 8; sequence++) {
            offset = append(data.producerId(), data.producerEpoch(), sequence).baseOffset();
        }
        return data.producerId() + ":" + data.producerEpoch() + ":7:" + offset;
    }

    static String goOnAs(String producer) throws Exception {
        String[] parts = producer.split(":");
        long id = Long.parseLong(parts[0]), offset = Long.parseLong(parts[3]);
        short epoch = Short.parseShort(parts[1]);
        int sequence = Integer.parseInt(parts[2]);
        var again = append(id, epoch, sequence);
        isTrue(again.errorCode() == 0 && again.baseOffset() == offset, "the last batch is not known as a duplicate: " + again);
        var gap = append(id, epoch, sequence + 2);
        isTrue(gap.errorCode() == Errors.OUT_OF_ORDER_SEQUENCE_NUMBER.code(), "a gap was accepted: " + gap);
        for (int i = 1; i <= 3; i++) {
            var next = append(id, epoch, sequence + i);
            isTrue(next.errorCode() == 0 && next.baseOffset() == offset + i, "sequence " + (sequence + i) + ": " + next);
        }
        return id + ":" + epoch + ":" + (sequence + 3) + ":" + (offset + 3);
    }

    static ProduceResponseData.PartitionProduceResponse append(long id, short epoch, int sequence) throws Exception {
        MemoryRecords records = MemoryRecords.withIdempotentRecords(Compression.NONE, id, epoch, sequence,
            new SimpleRecord(System.currentTimeMillis(), bytes("sequence"), bytes(String.valueOf(sequence))));
        var partition = new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(records);
        var topic = new ProduceRequestData.TopicProduceData().setName("sequence").setPartitionData(List.of(partition));
        var data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(30_000)
            .setTopicData(new ProduceRequestData.TopicProduceDataCollection(List.of(topic).iterator()));
        var response = (ProduceResponse) call(new ProduceRequest(data, (short) 11));
        return response.data().responses().iterator().next().partitionResponses().get(0);
    }

    static AbstractResponse call(AbstractRequest request) throws Exception {
        String[] address = bootstrap.split(":");
        RequestHeader header = new RequestHeader(request.apiKey(), request.version(), "move-in", 7);
        try (Socket socket = new Socket(address[0], Integer.parseInt(address[1]))) {
            ByteBuffer bytes = request.serializeWithHeader(header);
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            out.writeInt(bytes.remaining());
            out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
            out.flush();
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] frame = in.readNBytes(in.readInt());
            return parse(ByteBuffer.wrap(frame), header);
        }
    }

    static AbstractResponse parse(ByteBuffer frame, RequestHeader header) {
        return AbstractResponse.parseResponse(frame, header);
    }

    // ------------------------------------------------------------------ show

    static void show() throws Exception {
        System.out.println("cluster " + admin.describeCluster().clusterId().get());
        System.out.println("nodes " + admin.describeCluster().nodes().get().stream().map(Node::id).toList());
        Map<String, TopicDescription> topics = new TreeMap<>(admin.describeTopics(
            admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get()).allTopicNames().get());
        for (TopicDescription topic : topics.values()) {
            System.out.println("topic " + topic.name() + " " + topic.topicId() + " " + topic.partitions().size() + " "
                + configs(ConfigResource.Type.TOPIC, topic.name()));
        }
        System.out.println("broker defaults " + configs(ConfigResource.Type.BROKER, ""));
        System.out.println("broker 1 " + configs(ConfigResource.Type.BROKER, "1"));
        for (TopicDescription topic : topics.values()) {
            if (topic.isInternal()) continue;
            for (TopicPartitionInfo info : topic.partitions()) {
                showPartition(new TopicPartition(topic.name(), info.partition()));
            }
        }
        for (String group : new TreeSet<>(admin.listGroups().all().get().stream().map(GroupListing::groupId).toList())) {
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            // One that only an open transaction knows of is no group yet here, and an empty one there.
            if (!offsets.isEmpty()) System.out.println("group " + group + " " + new TreeMap<>(offsets.entrySet().stream()
                .collect(Collectors.toMap(e -> e.getKey().toString(), e -> e.getValue().offset() + " " + e.getValue().metadata()))));
        }
    }

    static void showPartition(TopicPartition partition) throws Exception {
        if (partition.topic().equals("compacted")) {
            // How far it is cleaned is the cleaner's affair; what each key means is not.
            Map<String, String> last = new TreeMap<>();
            for (var record : read(partition, IsolationLevel.READ_UNCOMMITTED)) {
                last.put(text(record.key()), record.offset() + " " + text(record.value()));
            }
            last.values().removeIf(value -> value.endsWith(" null"));
            System.out.println("partition " + partition + " " + last);
            return;
        }
        List<Long> times = List.of(0L, BASE + 100_000, BASE + 200_001, BASE + 333_333, BASE + 10_000_000);
        for (IsolationLevel level : IsolationLevel.values()) {
            StringBuilder line = new StringBuilder("partition " + partition + " " + level);
            line.append(" from ").append(offset(partition, level, OffsetSpec.earliest()));
            line.append(" to ").append(offset(partition, level, OffsetSpec.latest()));
            line.append(" youngest ").append(offset(partition, level, OffsetSpec.maxTimestamp()));
            List<ConsumerRecord<byte[], byte[]>> records = read(partition, level);
            for (long time : times) {
                // Kafka finds nothing for a time before the log's start while a segment of that time is still there.
                if (records.isEmpty() || records.get(0).offset() == 0 || time >= records.get(0).timestamp()) {
                    line.append(" ").append(offset(partition, level, OffsetSpec.forTimestamp(time)));
                }
            }
            System.out.println(line);
            for (var r : records) {
                String headers = Stream.of(r.headers().toArray()).map(h -> h.key() + "=" + text(h.value())).toList().toString();
                System.out.println("record " + partition + " " + level + " " + r.offset() + " " + r.timestampType() + " " + r.timestamp()
                    + " epoch " + r.leaderEpoch().orElse(-1) + " " + text(r.key()) + " " + text(r.value()) + " " + headers);
            }
        }
    }

    static final Map<IsolationLevel, KafkaConsumer<byte[], byte[]>> readers = new EnumMap<>(IsolationLevel.class);

    static List<ConsumerRecord<byte[], byte[]>> read(TopicPartition partition, IsolationLevel level) {
        var consumer = readers.computeIfAbsent(level, MoveIn::reader);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (consumer.position(partition) < end) {
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            isTrue(System.nanoTime() < deadline, partition + " cannot be read to its end at " + end);
        }
        return records;
    }

    static KafkaConsumer<byte[], byte[]> reader(IsolationLevel level) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", level.toString().toLowerCase(Locale.ROOT),
            "auto.offset.reset", "earliest", "enable.auto.commit", false);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static String offset(TopicPartition partition, IsolationLevel level, OffsetSpec spec) throws Exception {
        var found = admin.listOffsets(Map.of(partition, spec), new ListOffsetsOptions(level)).partitionResult(partition).get();
        return found.offset() + "@" + found.timestamp();
    }

    static long end(TopicPartition partition, IsolationLevel level) {
        try {
            return admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(level))
                .partitionResult(partition).get().offset();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    static Map<String, String> configs(ConfigResource.Type type, String name) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        var explicit = Set.of(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG,
            name.isEmpty() ? ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG : ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG);
        Map<String, String> configs = new TreeMap<>();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (explicit.contains(entry.source())) configs.put(entry.name(), entry.value());
        }
        return configs;
    }

    // ------------------------------------------------------------------ help

    static Producer<byte[], byte[]> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "acks", "all"));
        config.putAll(more);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static Producer<byte[], byte[]> transactional(String id) {
        var producer = producer(Map.of("transactional.id", id, "transaction.timeout.ms", UNTIL_DECIDED));
        producer.initTransactions();
        return producer;
    }

    static void commit(String group, Map<TopicPartition, OffsetAndMetadata> offsets) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", group, "enable.auto.commit", false);
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(offsets.keySet());
            consumer.commitSync(offsets);
        }
    }

    static ConsumerGroupMetadata metadata(String group) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", group);
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            return consumer.groupMetadata();
        }
    }

    static void alter(ConfigResource.Type type, String name, String key, String value) throws Exception {
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(op))).all().get();
    }

    static void until(BooleanSupplier condition, String what) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            isTrue(System.nanoTime() < deadline, "still not: " + what);
            Thread.sleep(50);
        }
    }

    static void isTrue(boolean holds, String otherwise) {
        if (!holds) throw new IllegalStateException(otherwise);
    }

    static byte[] bytes(String text) { return text.getBytes(StandardCharsets.UTF_8); }

    static String text(byte[] bytes) { return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8); }
}
