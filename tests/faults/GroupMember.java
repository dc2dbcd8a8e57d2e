// GroupMember BOOTSTRAP TOPIC GROUP NAME [KEY=VALUE ...]: a member of a group, by Kafka's own client. Prints what it comes to
// own, what it reads and what it commits, until its input ends; then it leaves. The lines are told in
// xtask/src/faults/members.rs. Run from its source, with Kafka's jars on the class path.

import java.io.IOException;
import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class GroupMember {
    static volatile boolean stopped;

    public static void main(String[] args) {
        String topic = args[1];
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", args[0], "group.id", args[2],
                "client.id", args[3], "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        for (String word : List.of(args).subList(4, args.length)) {
            config.put(word.split("=", 2)[0], word.split("=", 2)[1]);
        }
        Thread input = new Thread(GroupMember::awaitEndOfInput);
        input.setDaemon(true);
        input.start();
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    String owned = consumer.assignment().stream().map(TopicPartition::partition).sorted()
                            .map(partition -> " " + partition).collect(Collectors.joining());
                    System.out.println("own " + consumer.groupMetadata().generationId() + owned);
                }

                public void onPartitionsRevoked(Collection<TopicPartition> partitions) { }
            });
            while (!stopped) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                int generation = consumer.groupMetadata().generationId();
                Map<TopicPartition, OffsetAndMetadata> read = new LinkedHashMap<>();
                for (TopicPartition at : records.partitions()) {
                    var ofPartition = records.records(at);
                    long first = ofPartition.get(0).offset();
                    long last = ofPartition.get(ofPartition.size() - 1).offset();
                    System.out.println("read " + generation + " " + at.partition() + " " + first + " " + last);
                    read.put(at, new OffsetAndMetadata(last + 1));
                }
                commit(consumer, generation, read);
            }
        }
    }

    static void commit(KafkaConsumer<?, ?> consumer, int generation, Map<TopicPartition, OffsetAndMetadata> read) {
        if (read.isEmpty()) return;
        try {
            consumer.commitSync(read);
            read.forEach((at, offset) ->
                System.out.println("commit " + generation + " " + at.partition() + " " + offset.offset()));
        } catch (KafkaException error) {
            // Not promised: whoever reads on begins before it.
            System.err.println(error);
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
