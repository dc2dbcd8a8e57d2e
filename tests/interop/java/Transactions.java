// Transactions BOOTSTRAP: what Kafka's Java client is promised of transactions, in the version of their protocol that the cluster's
// `transaction.version` asks for. One line for each check, `ok NAME` or `FAIL NAME: why`; exit status 1 if any failed. Apache
// Kafka passes all of them, at any level.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;

public class Transactions extends Checks {
    static final String FEATURE = "transaction.version";

    /** Whether each transaction has an epoch of its own (KIP-890). */
    static boolean hasEpochs;

    public static void main(String[] args) throws Exception {
        all(args[0], () -> {
            try {
                FinalizedVersionRange level = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get(FEATURE);
                hasEpochs = level != null && level.maxVersionLevel() >= 2;
            } catch (Exception e) {
                throw new RuntimeException(e);
            }
            checks();
        });
    }

    static void checks() {
        check("a commit shows the records of all partitions at once", Transactions::commitOfManyPartitions);
        check("aborted records are read by nobody but read_uncommitted", Transactions::abort);
        check("what is open ends the log for read_committed", Transactions::lastStableOffset);
        check("transactions of several producers in one partition", Transactions::interleaved);
        check("a second producer with the same id fences the first", Transactions::fencing);
        check("the next producer aborts what its predecessor left open", Transactions::leftOpen);
        check("a transaction that takes too long is aborted", Transactions::timeout);
        check("a time limit beyond the broker's is refused", Transactions::timeoutTooLarge);
        for (String protocol : List.of("classic", "consumer")) {
            String suffix = ", " + protocol + " protocol";
            check("offsets count after the commit" + suffix, () -> offsets(protocol));
            check("offsets of an aborted transaction do not count" + suffix, () -> offsetsAborted(protocol));
            check("offsets of a member that was replaced are refused" + suffix, () -> zombieMember(protocol));
            check("consume, transform, produce: each record once" + suffix, () -> transform(protocol));
        }
        check("whoever asks for stable offsets waits for the transaction's end", Transactions::stableOffsets);
        check("a transaction without records", Transactions::empty);
        check("a hundred transactions in a row, in order", Transactions::manyInARow);
        check("after an abort the same producer goes on", Transactions::abortAndGoOn);
        check("a record that is too large: abort and go on", Transactions::tooLarge);
        check("a topic that comes to be in the middle of a transaction", Transactions::newTopic);
        check("transactions are listed and described", Transactions::listed);
        check("an admin fences producers", Transactions::fenceProducers);
        check("an admin aborts a transaction in a partition", Transactions::abortTransaction);
        check("records of a plain producer between those of a transaction", Transactions::plainBetween);
        check("compressed batches in transactions", Transactions::compressed);
    }

    static Producer<String, String> transactional(String id, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("transactional.id", id, "max.block.ms", 20000));
        config.putAll(more);
        Producer<String, String> producer = producer(config);
        producer.initTransactions();
        return producer;
    }

    static Producer<String, String> transactional() { return transactional(fresh("txn"), Map.of()); }

    static List<String> values(String topic, int partition, String isolation, int count) {
        TopicPartition only = new TopicPartition(topic, partition);
        try (Consumer<String, String> consumer = consumer(Map.of("isolation.level", isolation))) {
            consumer.assign(List.of(only));
            consumer.seekToBeginning(List.of(only));
            List<String> values = new ArrayList<>();
            for (ConsumerRecord<String, String> record : read(consumer, count)) values.add(record.value());
            // And nothing after them.
            long end = consumer.endOffsets(List.of(only)).get(only);
            until(() -> {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(record.value()));
                return consumer.position(only) >= end;
            }, "the end of " + only);
            return values;
        }
    }

    static List<String> committed(String topic, int partition, int count) {
        return values(topic, partition, "read_committed", count);
    }

    static List<String> uncommitted(String topic, int partition, int count) {
        return values(topic, partition, "read_uncommitted", count);
    }

    static void send(Producer<String, String> producer, String topic, int partition, String... values) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (String value : values) sent.add(producer.send(new ProducerRecord<>(topic, partition, null, value)));
        producer.flush();
        for (Future<RecordMetadata> one : sent) one.get();
    }

    static long end(String topic, String isolation) {
        TopicPartition only = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = consumer(Map.of("isolation.level", isolation))) {
            return consumer.endOffsets(List.of(only)).get(only);
        }
    }

    static void commitOfManyPartitions() throws Exception {
        String topic = topic(4);
        try (Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            for (int p = 0; p < 4; p++) send(producer, topic, p, "a" + p, "b" + p);
            for (int p = 0; p < 4; p++) equal(List.of(), committed(topic, p, 0));
            producer.commitTransaction();
            for (int p = 0; p < 4; p++) equal(List.of("a" + p, "b" + p), committed(topic, p, 2));
        }
    }

    static void abort() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            send(producer, topic, 0, "lost", "gone");
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "kept");
            producer.commitTransaction();
            equal(List.of("kept"), committed(topic, 0, 1));
            equal(List.of("lost", "gone", "kept"), uncommitted(topic, 0, 3));
        }
    }

    static void lastStableOffset() throws Exception {
        String topic = topic(1);
        fill(topic, 1, 3);
        try (Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            send(producer, topic, 0, "open");
            fill(topic, 1, 2);
            equal(3L, end(topic, "read_committed"));
            equal(6L, end(topic, "read_uncommitted"));
            equal(3, committed(topic, 0, 3).size());
            producer.commitTransaction();
            equal(7L, end(topic, "read_committed"));
            equal(List.of("v0", "v1", "v2", "open", "v0", "v1"), committed(topic, 0, 6));
        }
    }

    static void interleaved() throws Exception {
        String topic = topic(1);
        List<Producer<String, String>> producers = new ArrayList<>();
        for (int i = 0; i < 5; i++) producers.add(transactional());
        try {
            for (Producer<String, String> producer : producers) producer.beginTransaction();
            for (int k = 0; k < 3; k++) {
                for (int i = 0; i < 5; i++) send(producers.get(i), topic, 0, "p" + i + "-" + k);
            }
            // Ended from the last to the first; those with odd numbers are aborted.
            for (int i = 4; i >= 0; i--) {
                if (i % 2 == 0) producers.get(i).commitTransaction(); else producers.get(i).abortTransaction();
            }
            List<String> expected = new ArrayList<>();
            for (int k = 0; k < 3; k++) for (int i = 0; i < 5; i += 2) expected.add("p" + i + "-" + k);
            equal(expected, committed(topic, 0, 9));
        } finally {
            producers.forEach(Producer::close);
        }
    }

    static void fencing() throws Exception {
        String topic = topic(1), id = fresh("fenced");
        try (Producer<String, String> first = transactional(id, Map.of())) {
            first.beginTransaction();
            send(first, topic, 0, "of the first");
            try (Producer<String, String> second = transactional(id, Map.of())) {
                try {
                    first.send(new ProducerRecord<>(topic, 0, null, "too late"));
                    first.commitTransaction();
                    throw new AssertionError("the first was not fenced");
                } catch (ProducerFencedException | InvalidProducerEpochException expected) {
                    // Either, by what it was told first.
                }
                second.beginTransaction();
                send(second, topic, 0, "of the second");
                second.commitTransaction();
            }
            equal(List.of("of the second"), committed(topic, 0, 1));
        }
    }

    static void leftOpen() throws Exception {
        String topic = topic(1), id = fresh("crashed");
        Producer<String, String> first = transactional(id, Map.of());
        first.beginTransaction();
        send(first, topic, 0, "left open");
        first.close(Duration.ZERO);
        try (Producer<String, String> second = transactional(id, Map.of())) {
            equal(List.of(), committed(topic, 0, 0));
            second.beginTransaction();
            send(second, topic, 0, "next");
            second.commitTransaction();
            equal(List.of("next"), committed(topic, 0, 1));
        }
    }

    static void timeout() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional(fresh("slow"), Map.of("transaction.timeout.ms", 1000))) {
            producer.beginTransaction();
            send(producer, topic, 0, "too slow");
            until(() -> end(topic, "read_committed") == 2, "the abort of the broker");
            try {
                producer.commitTransaction();
                throw new AssertionError("committed after the abort");
            } catch (InvalidTxnStateException expected) {
                isTrue(hasEpochs, "so says the newer protocol");
            } catch (ProducerFencedException | InvalidProducerEpochException expected) {
                isTrue(!hasEpochs, "so says the older protocol");
            }
            equal(List.of(), committed(topic, 0, 0));
        }
    }

    static void timeoutTooLarge() throws Exception {
        try {
            transactional(fresh("patient"), Map.of("transaction.timeout.ms", 900001)).close();
            throw new AssertionError("taken");
        } catch (KafkaException e) {
            isTrue(e.getMessage().contains("transaction timeout is larger than the maximum"), e.getMessage());
        }
    }

    /** Reads one record of the topic as the group's only member. */
    static Consumer<String, String> member(String topic, String group, String protocol) {
        Consumer<String, String> consumer = consumer(Map.of("group.id", group, "enable.auto.commit", false,
                "isolation.level", "read_committed", "group.protocol", protocol));
        consumer.subscribe(List.of(topic));
        read(consumer, 1);
        return consumer;
    }

    static Long committedOffset(String topic, String group) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets = admin.listConsumerGroupOffsets(group)
            .partitionsToOffsetAndMetadata().get();
        OffsetAndMetadata found = offsets.get(new TopicPartition(topic, 0));
        return found == null ? null : found.offset();
    }

    static void offsets(String protocol) throws Exception {
        String topic = topic(1), group = fresh("group");
        fill(topic, 1, 5);
        try (Consumer<String, String> consumer = member(topic, group, protocol); Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            Map<TopicPartition, OffsetAndMetadata> offset = Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(5, "note"));
            producer.sendOffsetsToTransaction(offset, consumer.groupMetadata());
            equal(null, committedOffset(topic, group));
            producer.commitTransaction();
            until(() -> {
                try {
                    return Objects.equals(committedOffset(topic, group), 5L);
                } catch (Exception e) {
                    return false;
                }
            }, "the offset");
            TopicPartition only = new TopicPartition(topic, 0);
            equal("note", consumer.committed(Set.of(only)).get(only).metadata());
        }
    }

    static void offsetsAborted(String protocol) throws Exception {
        String topic = topic(1), group = fresh("group");
        fill(topic, 1, 5);
        TopicPartition only = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = member(topic, group, protocol); Producer<String, String> producer = transactional()) {
            consumer.commitSync(Map.of(only, new OffsetAndMetadata(2)));
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(only, new OffsetAndMetadata(5)), consumer.groupMetadata());
            producer.abortTransaction();
            equal(2L, consumer.committed(Set.of(only)).get(only).offset());
        }
    }

    static void stableOffsets() throws Exception {
        String topic = topic(1), group = fresh("group");
        fill(topic, 1, 5);
        TopicPartition only = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = member(topic, group, "classic"); Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(only, new OffsetAndMetadata(4)), consumer.groupMetadata());
            throwing(org.apache.kafka.common.errors.TimeoutException.class,
                () -> consumer.committed(Set.of(only), Duration.ofSeconds(1)));
            producer.commitTransaction();
            equal(4L, consumer.committed(Set.of(only)).get(only).offset());
        }
    }

    static void zombieMember(String protocol) throws Exception {
        String topic = topic(1), group = fresh("group");
        fill(topic, 1, 5);
        TopicPartition only = new TopicPartition(topic, 0);
        Consumer<String, String> old = member(topic, group, protocol);
        ConsumerGroupMetadata replaced = old.groupMetadata();
        old.close();
        try (Consumer<String, String> consumer = member(topic, group, protocol); Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            throwing(CommitFailedException.class, () -> {
                producer.sendOffsetsToTransaction(Map.of(only, new OffsetAndMetadata(3)), replaced);
                producer.commitTransaction();
            });
            producer.abortTransaction();
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(only, new OffsetAndMetadata(4)), consumer.groupMetadata());
            producer.commitTransaction();
            equal(4L, consumer.committed(Set.of(only)).get(only).offset());
        }
    }

    static void transform(String protocol) throws Exception {
        String from = topic(2), to = topic(2), group = fresh("group");
        fill(from, 2, 100);
        Consumer<String, String> consumer = consumer(Map.of("group.id", group, "enable.auto.commit", false,
                "isolation.level", "read_committed", "max.poll.records", 17, "group.protocol", protocol));
        try (consumer; Producer<String, String> producer = transactional()) {
            consumer.subscribe(List.of(from));
            int done = 0, turn = 0;
            while (done < 200) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofSeconds(1));
                if (records.isEmpty()) continue;
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (ConsumerRecord<String, String> record : records) {
                    producer.send(new ProducerRecord<>(to, record.partition(), record.key(), record.value() + "!"));
                    offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (turn++ % 3 == 1) {
                    producer.abortTransaction();
                    Map<TopicPartition, OffsetAndMetadata> back = consumer.committed(consumer.assignment());
                    back.forEach((partition, offset) -> consumer.seek(partition, offset == null ? 0 : offset.offset()));
                } else {
                    producer.commitTransaction();
                    done += records.count();
                }
            }
        }
        for (int p = 0; p < 2; p++) {
            List<String> expected = new ArrayList<>();
            for (int i = p; i < 200; i += 2) expected.add("v" + i + "!");
            equal(expected, committed(to, p, 100));
        }
    }

    static void empty() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            producer.commitTransaction();
            equal(List.of("a"), committed(topic, 0, 1));
        }
    }

    static void manyInARow() throws Exception {
        String topic = topic(1);
        List<String> expected = new ArrayList<>();
        try (Producer<String, String> producer = transactional()) {
            for (int i = 0; i < 100; i++) {
                producer.beginTransaction();
                for (int k = 0; k < 3; k++) producer.send(new ProducerRecord<>(topic, 0, null, i + "-" + k));
                if (i % 5 == 4) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    for (int k = 0; k < 3; k++) expected.add(i + "-" + k);
                }
            }
        }
        equal(expected, committed(topic, 0, expected.size()));
    }

    static void abortAndGoOn() throws Exception {
        String topic = topic(2);
        try (Producer<String, String> producer = transactional()) {
            for (int i = 0; i < 4; i++) {
                producer.beginTransaction();
                send(producer, topic, i % 2, "v" + i);
                if (i == 1) producer.abortTransaction(); else producer.commitTransaction();
            }
            equal(List.of("v0", "v2"), committed(topic, 0, 2));
            equal(List.of("v3"), committed(topic, 1, 1));
        }
    }

    static void tooLarge() throws Exception {
        String topic = fresh("small");
        NewTopic small = new NewTopic(topic, 1, (short) 1).configs(Map.of("max.message.bytes", "1000"));
        admin.createTopics(List.of(small)).all().get();
        try (Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            send(producer, topic, 0, "fits");
            Future<RecordMetadata> large = producer.send(new ProducerRecord<>(topic, 0, null, "x".repeat(5000)));
            producer.flush();
            try {
                large.get();
                throw new AssertionError("taken");
            } catch (ExecutionException e) {
                equal(RecordTooLargeException.class, e.getCause().getClass());
            }
            commitFailsAfter(RecordTooLargeException.class, producer);
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "fits too");
            producer.commitTransaction();
            equal(List.of("fits too"), committed(topic, 0, 1));
        }
    }

    /**
     * The commit of a transaction with a batch that failed. The producer completes the batch's future first and notes
     * the error then: a commit that comes between the two is given the batch's own error, a later one a wrapped one.
     */
    static void commitFailsAfter(Class<? extends Exception> batch, Producer<String, String> producer) {
        try {
            producer.commitTransaction();
        } catch (KafkaException e) {
            equal(batch, (e.getCause() == null ? e : e.getCause()).getClass());
            return;
        }
        throw new AssertionError("committed after " + batch.getSimpleName());
    }

    static void newTopic() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional()) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            String later = topic(1);
            send(producer, later, 0, "b");
            producer.commitTransaction();
            equal(List.of("a"), committed(topic, 0, 1));
            equal(List.of("b"), committed(later, 0, 1));
        }
    }

    static void listed() throws Exception {
        String topic = topic(2), id = fresh("listed");
        try (Producer<String, String> producer = transactional(id, Map.of("transaction.timeout.ms", 54321))) {
            equal(TransactionState.EMPTY, described(id).state());
            producer.beginTransaction();
            send(producer, topic, 1, "a");
            TransactionDescription open = described(id);
            equal(TransactionState.ONGOING, open.state());
            equal(54321L, open.transactionTimeoutMs());
            equal(Set.of(new TopicPartition(topic, 1)), open.topicPartitions());
            isTrue(open.transactionStartTimeMs().isPresent(), "no start");
            Collection<TransactionListing> ongoing = admin.listTransactions(new ListTransactionsOptions()
                .filterStates(List.of(TransactionState.ONGOING))).all().get();
            TransactionListing own = ongoing.stream().filter(it -> it.transactionalId().equals(id)).findFirst().orElseThrow();
            equal(open.producerId(), own.producerId());
            ProducerState state = producers(new TopicPartition(topic, 1)).get(0);
            equal(open.producerId(), state.producerId());
            equal(open.producerEpoch(), state.producerEpoch());
            equal(OptionalLong.of(0), state.currentTransactionStartOffset());
            producer.commitTransaction();
            until(() -> {
                try {
                    return described(id).state() == TransactionState.COMPLETE_COMMIT;
                } catch (Exception e) {
                    return false;
                }
            }, "the end of the commit");
            equal(OptionalLong.empty(), producers(new TopicPartition(topic, 1)).get(0).currentTransactionStartOffset());
        }
        fails(TransactionalIdNotFoundException.class, admin.describeTransactions(List.of(fresh("nobody"))).all());
    }

    static TransactionDescription described(String id) throws Exception {
        return admin.describeTransactions(List.of(id)).description(id).get();
    }

    static List<ProducerState> producers(TopicPartition partition) throws Exception {
        return admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
    }

    static void fenceProducers() throws Exception {
        String topic = topic(1), id = fresh("fence");
        try (Producer<String, String> producer = transactional(id, Map.of())) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            admin.fenceProducers(List.of(id)).all().get();
            try {
                producer.commitTransaction();
                throw new AssertionError("not fenced");
            } catch (ProducerFencedException | InvalidProducerEpochException expected) {
                // Either.
            }
            until(() -> end(topic, "read_committed") == 2, "the abort");
            equal(List.of(), committed(topic, 0, 0));
        }
    }

    static void abortTransaction() throws Exception {
        String topic = topic(1), id = fresh("hanging");
        TopicPartition only = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = transactional(id, Map.of())) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            ProducerState state = producers(only).get(0);
            int epoch = state.coordinatorEpoch().orElse(0);
            admin.abortTransaction(new AbortTransactionSpec(only, state.producerId(), (short) state.producerEpoch(), epoch)).all().get();
            until(() -> end(topic, "read_committed") == 2, "the marker");
            equal(List.of(), committed(topic, 0, 0));
        }
    }

    static void plainBetween() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional(); Producer<String, String> plain = producer(Map.of())) {
            producer.beginTransaction();
            send(producer, topic, 0, "t1");
            send(plain, topic, 0, "p1");
            send(producer, topic, 0, "t2");
            producer.abortTransaction();
            send(plain, topic, 0, "p2");
            equal(List.of("p1", "p2"), committed(topic, 0, 2));
        }
    }

    static void compressed() throws Exception {
        String topic = topic(1);
        List<String> expected = new ArrayList<>();
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            try (Producer<String, String> producer = transactional(fresh("txn"), Map.of("compression.type", codec, "linger.ms", 50))) {
                for (boolean commits : new boolean[] {true, false}) {
                    producer.beginTransaction();
                    List<String> values = new ArrayList<>();
                    for (int i = 0; i < 50; i++) values.add(codec + commits + i);
                    send(producer, topic, 0, values.toArray(String[]::new));
                    if (commits) {
                        producer.commitTransaction();
                        expected.addAll(values);
                    } else {
                        producer.abortTransaction();
                    }
                }
            }
        }
        equal(expected, committed(topic, 0, expected.size()));
    }
}
