// Transactions BOOTSTRAP: Kafka's own transactional producer and the admin client's part in transactions against a running
// broker. Which protocol of transactions the producer speaks follows from the broker's `transaction.version`.

import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;

public class Transactions extends Checks {
    public static void main(String[] args) throws Exception {
        all(args[0], Transactions::run);
    }

    static void run() {
        check("a commit shows all partitions at once", Transactions::commit);
        check("an abort shows nothing", Transactions::abort);
        check("transactions follow each other at once", Transactions::manyInARow);
        check("an empty transaction commits and aborts", Transactions::empty);
        check("a new producer fences the old one and ends its transaction", Transactions::fencing);
        check("a transaction that takes too long is aborted", Transactions::timeout);
        check("a timeout above the broker's maximum is refused", Transactions::timeoutTooLong);
        for (String protocol : List.of("classic", "consumer")) {
            check("offsets and results are one, " + protocol, () -> process(protocol));
            check("offsets of an aborted transaction do not count, " + protocol, () -> abortedOffsets(protocol));
            check("offsets of a member that has left are refused, " + protocol, () -> staleMember(protocol));
        }
        check("committed offsets wait for open transactions", Transactions::unstableOffsets);
        check("transactions are listed and described", Transactions::listed);
        check("producers are fenced by the admin client", Transactions::fenceProducers);
        check("a hanging transaction is found and aborted", Transactions::abortHanging);
        check("read_committed ends where the first open transaction begins", Transactions::lastStable);
    }

    static Producer<String, String> transactional(String id) { return transactional(id, Map.of()); }

    static Producer<String, String> transactional(String id, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("transactional.id", id, "max.block.ms", 20000));
        config.putAll(more);
        Producer<String, String> producer = producer(config);
        producer.initTransactions();
        return producer;
    }

    static ProducerRecord<String, String> record(String topic, int partition, String value) {
        return new ProducerRecord<>(topic, partition, null, value);
    }

    static Map<String, Object> committedOnly() { return Map.of("isolation.level", "read_committed"); }

    /** All that a reader of committed records finds in a topic's first partitions. */
    static List<String> committed(String topic, int partitions) {
        List<String> values = new ArrayList<>();
        try (Consumer<String, String> consumer = consumer(committedOnly())) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < partitions; i++) {
                all.add(new TopicPartition(topic, i));
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            until(() -> {
                consumer.poll(Duration.ofMillis(50)).forEach(record -> values.add(record.value()));
                return all.stream().allMatch(partition -> consumer.position(partition) >= ends.get(partition));
            }, "the last stable offset");
        }
        return values;
    }

    static void isCommitted(String topic, int partitions, List<String> expected) {
        until(() -> committed(topic, partitions).equals(expected), expected + " in " + topic);
    }

    // ------------------------------------------------------------------ transactions

    static void commit() throws Exception {
        String topic = topic(2);
        try (Producer<String, String> producer = transactional(fresh("commit"))) {
            producer.beginTransaction();
            producer.send(record(topic, 0, "a"));
            producer.send(record(topic, 1, "b"));
            producer.flush();
            equal(List.of(), committed(topic, 2));
            equal("a", readAll(topic, 0).get(0).value());
            producer.commitTransaction();
        }
        until(() -> Set.copyOf(committed(topic, 2)).equals(Set.of("a", "b")), "both");
    }

    static void abort() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional(fresh("abort"))) {
            producer.beginTransaction();
            producer.send(record(topic, 0, "never")).get();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.send(record(topic, 0, "now"));
            producer.commitTransaction();
        }
        isCommitted(topic, 1, List.of("now"));
    }

    static void manyInARow() throws Exception {
        String topic = topic(1);
        List<String> expected = new ArrayList<>();
        try (Producer<String, String> producer = transactional(fresh("row"))) {
            for (int i = 0; i < 60; i++) {
                producer.beginTransaction();
                producer.send(record(topic, 0, i + "a"));
                producer.send(record(topic, 0, i + "b"));
                // Else the client may end the transaction before it sends the records: it looks at what is to be sent first.
                producer.flush();
                if (i % 3 == 2) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    expected.addAll(List.of(i + "a", i + "b"));
                }
            }
        }
        isCommitted(topic, 1, expected);
    }

    static void empty() throws Exception {
        String topic = topic(1);
        try (Producer<String, String> producer = transactional(fresh("empty"))) {
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.send(record(topic, 0, "x"));
            producer.commitTransaction();
        }
        isCommitted(topic, 1, List.of("x"));
    }

    static void fencing() throws Exception {
        String topic = topic(1);
        String id = fresh("fencing");
        Producer<String, String> first = transactional(id);
        first.beginTransaction();
        first.send(record(topic, 0, "of the first")).get();
        try (Producer<String, String> second = transactional(id)) {
            second.beginTransaction();
            second.send(record(topic, 0, "of the second"));
            second.commitTransaction();
            throwing(ProducerFencedException.class, first::commitTransaction);
        }
        first.close(Duration.ZERO);
        isCommitted(topic, 1, List.of("of the second"));
    }

    static void timeout() throws Exception {
        String topic = topic(1);
        String id = fresh("timeout");
        Producer<String, String> producer = transactional(id, Map.of("transaction.timeout.ms", 500));
        producer.beginTransaction();
        producer.send(record(topic, 0, "too late")).get();
        until(() -> state(id) == TransactionState.COMPLETE_ABORT, "the abort");
        try {
            producer.commitTransaction();
            throw new AssertionError("committed");
        } catch (ProducerFencedException | InvalidTxnStateException expected) {
            // The first by the older protocol; the other knows the epoch for that of the transaction before.
        }
        producer.close(Duration.ZERO);
        equal(List.of(), committed(topic, 1));
    }

    static void timeoutTooLong() throws Exception {
        try (Producer<String, String> producer = producer(Map.of("transactional.id", fresh("long"),
                "transaction.timeout.ms", 900001))) {
            producer.initTransactions();
            throw new AssertionError("taken");
        } catch (KafkaException expected) {
            isTrue(expected.getMessage().contains("transaction timeout"), expected.getMessage());
        }
    }

    // ------------------------------------------------------------------ offsets

    static Consumer<String, String> member(String group, String protocol, String topic) {
        Consumer<String, String> consumer = consumer(Map.of("group.id", group, "group.protocol", protocol,
            "enable.auto.commit", false, "isolation.level", "read_committed"));
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static Map<TopicPartition, OffsetAndMetadata> positions(Consumer<String, String> consumer) {
        return consumer.assignment().stream()
            .collect(Collectors.toMap(it -> it, it -> new OffsetAndMetadata(consumer.position(it))));
    }

    /** Of a group without members. */
    @SuppressWarnings("removal")
    static ConsumerGroupMetadata outsider(String group) { return new ConsumerGroupMetadata(group); }

    static Long committedOffset(String group, String topic) {
        try {
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            OffsetAndMetadata offset = offsets.get(new TopicPartition(topic, 0));
            return offset == null ? null : (Long) offset.offset();
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static void process(String protocol) throws Exception {
        String from = topic(1);
        String to = topic(1);
        String group = fresh("process");
        fill(from, 1, 30);
        List<String> expected = new ArrayList<>();
        try (Consumer<String, String> consumer = member(group, protocol, from);
                Producer<String, String> producer = transactional(fresh("process"))) {
            until(() -> {
                var records = consumer.poll(Duration.ofMillis(100));
                if (records.isEmpty()) {
                    return expected.size() == 30;
                }
                producer.beginTransaction();
                for (var record : records) {
                    producer.send(record(to, 0, record.value() + "!"));
                    expected.add(record.value() + "!");
                }
                producer.sendOffsetsToTransaction(positions(consumer), consumer.groupMetadata());
                producer.commitTransaction();
                return expected.size() == 30;
            }, "30 records");
        }
        isCommitted(to, 1, expected);
        until(() -> Objects.equals(30L, committedOffset(group, from)), "30 committed");
    }

    static void abortedOffsets(String protocol) throws Exception {
        String from = topic(1);
        String group = fresh("aborted");
        fill(from, 1, 10);
        try (Consumer<String, String> consumer = member(group, protocol, from);
                Producer<String, String> producer = transactional(fresh("aborted"))) {
            read(consumer, 10);
            consumer.commitSync(Map.of(new TopicPartition(from, 0), new OffsetAndMetadata(3)));
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(positions(consumer), consumer.groupMetadata());
            producer.abortTransaction();
            until(() -> Objects.equals(3L, committedOffset(group, from)), "the offset of before");
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(positions(consumer), consumer.groupMetadata());
            producer.commitTransaction();
            until(() -> Objects.equals(10L, committedOffset(group, from)), "the offset of the commit");
        }
    }

    static void staleMember(String protocol) throws Exception {
        String from = topic(1);
        String group = fresh("stale");
        fill(from, 1, 3);
        Consumer<String, String> consumer = member(group, protocol, from);
        read(consumer, 3);
        ConsumerGroupMetadata member = consumer.groupMetadata();
        Map<TopicPartition, OffsetAndMetadata> offsets = positions(consumer);
        consumer.close();
        try (Producer<String, String> producer = transactional(fresh("stale"))) {
            producer.beginTransaction();
            throwing(CommitFailedException.class, () -> {
                producer.sendOffsetsToTransaction(offsets, member);
                producer.commitTransaction();
            });
            producer.abortTransaction();
        }
        equal(null, committedOffset(group, from));
    }

    static void unstableOffsets() throws Exception {
        String from = topic(1);
        String group = fresh("unstable");
        TopicPartition partition = new TopicPartition(from, 0);
        fill(from, 1, 5);
        try (Producer<String, String> producer = transactional(fresh("unstable"))) {
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(5)), outsider(group));
            equal(null, committedOffset(group, from));
            try (Consumer<String, String> consumer = consumer(Map.of("group.id", group))) {
                throwing(TimeoutException.class, () -> consumer.committed(Set.of(partition), Duration.ofMillis(700)));
                producer.commitTransaction();
                equal(5L, consumer.committed(Set.of(partition)).get(partition).offset());
            }
        }
    }

    // ------------------------------------------------------------------ admin

    static TransactionDescription transaction(String id) throws Exception {
        return admin.describeTransactions(List.of(id)).description(id).get();
    }

    static TransactionState state(String id) {
        try {
            return transaction(id).state();
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static List<String> ids(ListTransactionsOptions options) throws Exception {
        return admin.listTransactions(options).all().get().stream().map(TransactionListing::transactionalId).toList();
    }

    static void listed() throws Exception {
        String topic = topic(2);
        String id = fresh("listed");
        try (Producer<String, String> producer = transactional(id)) {
            equal(TransactionState.EMPTY, state(id));
            producer.beginTransaction();
            producer.send(record(topic, 1, "x")).get();
            TransactionDescription open = transaction(id);
            equal(TransactionState.ONGOING, open.state());
            equal(Set.of(new TopicPartition(topic, 1)), open.topicPartitions());
            equal(60000L, open.transactionTimeoutMs());
            isTrue(open.transactionStartTimeMs().isPresent(), "no start");
            var ongoing = new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING));
            isTrue(ids(ongoing).contains(id), "not listed as ongoing");
            var ofProducer = new ListTransactionsOptions().filterProducerIds(List.of(open.producerId()));
            equal(List.of(id), ids(ofProducer));
            equal(List.of(id), ids(new ListTransactionsOptions().filterOnTransactionalIdPattern(id + ".*")));
            equal(List.of(), ids(new ListTransactionsOptions().filterOnDuration(3600000).filterProducerIds(
                List.of(open.producerId()))));
            var producers = admin.describeProducers(List.of(new TopicPartition(topic, 1)))
                .partitionResult(new TopicPartition(topic, 1)).get().activeProducers();
            equal(1, producers.size());
            equal(open.producerId(), producers.get(0).producerId());
            equal(OptionalLong.of(0), producers.get(0).currentTransactionStartOffset());
            producer.commitTransaction();
            until(() -> state(id) == TransactionState.COMPLETE_COMMIT, "the end");
        }
        fails(TransactionalIdNotFoundException.class, admin.describeTransactions(List.of(fresh("nobody"))).all());
    }

    static void fenceProducers() throws Exception {
        String topic = topic(1);
        String id = fresh("fenced");
        Producer<String, String> producer = transactional(id);
        producer.beginTransaction();
        producer.send(record(topic, 0, "x")).get();
        admin.fenceProducers(List.of(id)).all().get();
        throwing(ProducerFencedException.class, producer::commitTransaction);
        producer.close(Duration.ZERO);
        equal(List.of(), committed(topic, 1));
    }

    /** As an operator does who has lost the coordinator's record of a transaction. */
    static void abortHanging() throws Exception {
        String topic = topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        String id = fresh("hanging");
        Producer<String, String> producer = transactional(id);
        producer.beginTransaction();
        producer.send(record(topic, 0, "x")).get();
        var open = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
        admin.abortTransaction(new AbortTransactionSpec(partition, open.producerId(), (short) (open.producerEpoch() + 1),
            Math.max(open.coordinatorEpoch().orElse(0), 0))).all().get();
        var after = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
        isTrue(after.stream().allMatch(it -> it.currentTransactionStartOffset().isEmpty()), "still open");
        producer.close(Duration.ZERO);
        equal(List.of(), committed(topic, 1));
    }

    static void lastStable() throws Exception {
        String topic = topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<String, String> first = transactional(fresh("stable"));
                Producer<String, String> second = transactional(fresh("stable"))) {
            first.beginTransaction();
            first.send(record(topic, 0, "a")).get();
            second.beginTransaction();
            second.send(record(topic, 0, "b")).get();
            second.commitTransaction();
            until(() -> listed(partition, IsolationLevel.READ_UNCOMMITTED) == 3, "three records");
            equal(0L, listed(partition, IsolationLevel.READ_COMMITTED));
            first.abortTransaction();
            until(() -> listed(partition, IsolationLevel.READ_COMMITTED) == 4, "the end");
        }
        equal(List.of("b"), committed(topic, 1));
    }

    static long listed(TopicPartition partition, IsolationLevel isolation) {
        try {
            var options = new ListOffsetsOptions(isolation);
            return admin.listOffsets(Map.of(partition, OffsetSpec.latest()), options).partitionResult(partition).get().offset();
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }
}
