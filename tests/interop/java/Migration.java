// Migration BOOTSTRAP: a group of three members goes from the classic protocol to the consumer protocol and back, one member at a
// time, while records come in. No partition has two owners at any time, committed offsets never go back, every record is
// dealt with, and the group is of the type that its members make it. One line for each check, `ok NAME` or `FAIL NAME: why`;
// exit status 1 if any failed. Apache Kafka passes all of them.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

public class Migration {
    static final int PARTITIONS = 6;
    static final int MEMBERS = 3;
    static final Duration PATIENCE = Duration.ofSeconds(60);

    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        // They mostly wait, so they run side by side.
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Boolean>> outcomes = new ArrayList<>();
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            for (boolean isStatic : new boolean[] {false, true}) {
                outcomes.add(pool.submit(() -> thereAndBack(assignor, isStatic)));
            }
        }
        boolean isWell = true;
        for (Future<Boolean> outcome : outcomes) isWell &= outcome.get();
        System.exit(isWell ? 0 : 1);
    }

    static boolean thereAndBack(String assignor, boolean isStatic) {
        String name = "to the consumer protocol and back, " + assignor + (isStatic ? ", static members" : "");
        try (Rolling rolling = new Rolling(assignor, isStatic)) {
            rolling.run();
            System.out.println("ok " + name);
            return true;
        } catch (Throwable e) {
            System.out.println("FAIL " + name + ": " + e);
            return false;
        }
    }

    /** One group on its way. What its members do is told here, in the order in which it happens. */
    static class Rolling implements AutoCloseable {
        final String topic = "migration-" + UUID.randomUUID().toString().substring(0, 8);
        final String group = topic + "-group";
        final String assignor;
        final boolean isStatic;
        final Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        final AtomicBoolean isSending = new AtomicBoolean(true);
        final List<Long> sent = new CopyOnWriteArrayList<>(Collections.nCopies(PARTITIONS, 0L));
        final List<Member> members = new ArrayList<>();
        final Map<Integer, Member> owners = new HashMap<>();
        final Map<Integer, Long> committed = new HashMap<>();
        final Map<Integer, Set<Long>> read = new HashMap<>();
        final List<String> faults = new ArrayList<>();
        Thread sender;
        int moves;

        Rolling(String assignor, boolean isStatic) throws Exception {
            this.assignor = assignor;
            this.isStatic = isStatic;
            admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
            var config = new ConfigResource(ConfigResource.Type.GROUP, group);
            var often = new AlterConfigOp(new ConfigEntry("consumer.heartbeat.interval.ms", "1000"), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(config, List.of(often))).all().get();
        }

        void run() throws Exception {
            sender = new Thread(this::send);
            sender.start();
            for (int i = 0; i < MEMBERS; i++) members.add(new Member(i, "classic"));
            settle(GroupType.CLASSIC);
            for (int i = 0; i < MEMBERS; i++) {
                replace(i, "consumer");
                settle(GroupType.CONSUMER);
            }
            for (int i = 0; i < MEMBERS; i++) {
                replace(i, "classic");
                settle(i < MEMBERS - 1 ? GroupType.CONSUMER : GroupType.CLASSIC);
            }
            isSending.set(false);
            sender.join();
            until(() -> unread() == 0, "all records");
            synchronized (this) {
                if (!faults.isEmpty()) throw new AssertionError(faults.size() + ": " + faults.get(0));
                if (moves < 7) throw new AssertionError("only " + moves + " assignments");
            }
        }

        void replace(int at, String protocol) throws Exception {
            members.get(at).close();
            members.set(at, new Member(at, protocol));
        }

        /** Each has its share, and the group is of this type. */
        void settle(GroupType type) throws Exception {
            until(() -> {
                synchronized (this) {
                    for (Member member : members) {
                        if (member.failure != null) throw new AssertionError(member.failure);
                    }
                    Map<Member, Long> counts = owners.values().stream()
                        .collect(Collectors.groupingBy(owner -> owner, Collectors.counting()));
                    return counts.size() == MEMBERS && counts.values().stream().allMatch(n -> n == PARTITIONS / MEMBERS);
                }
            }, "a share for each");
            ListGroupsOptions options = new ListGroupsOptions().withTypes(Set.of(type));
            until(() -> {
                try {
                    return admin.listGroups(options).all().get().stream().anyMatch(one -> one.groupId().equals(group)
                        && one.groupState().equals(Optional.of(GroupState.STABLE)));
                } catch (InterruptedException | ExecutionException e) {
                    throw new AssertionError(e);
                }
            }, "a stable group of type " + type);
        }

        void until(BooleanCheck check, String what) throws Exception {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (!check.holds()) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("no " + what + ": " + owners + ", " + unread() + " unread, " + faults);
                }
                Thread.sleep(50);
            }
        }

        synchronized long unread() {
            long unread = 0;
            for (int p = 0; p < PARTITIONS; p++) unread += sent.get(p) - read.getOrDefault(p, Set.of()).size();
            return unread;
        }

        void send() {
            Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "linger.ms", 0);
            try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
                for (int i = 0; isSending.get(); i++) {
                    int p = i % PARTITIONS;
                    sent.set(p, producer.send(new ProducerRecord<>(topic, p, null, new byte[10])).get().offset() + 1);
                    Thread.sleep(5);
                }
            } catch (Exception e) {
                synchronized (this) {
                    faults.add("the sender: " + e);
                }
            }
        }

        public void close() throws Exception {
            isSending.set(false);
            if (sender != null) sender.join();
            for (Member member : members) member.close();
            admin.close();
        }

        class Member implements ConsumerRebalanceListener {
            final String name;
            final KafkaConsumer<byte[], byte[]> consumer;
            final Thread thread = new Thread(this::work);
            volatile boolean isClosing;
            volatile Throwable failure;

            Member(int number, String protocol) {
                name = protocol + "-" + number;
                Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
                    "auto.offset.reset", "earliest", "enable.auto.commit", false, "group.protocol", protocol,
                    "client.id", name));
                if (isStatic) config.put("group.instance.id", "i" + number);
                if (protocol.equals("classic")) {
                    config.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
                    config.put("heartbeat.interval.ms", 200);
                }
                consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                thread.start();
            }

            void work() {
                try (consumer) {
                    consumer.subscribe(List.of(topic), this);
                    while (!isClosing) deal(consumer.poll(Duration.ofMillis(50)));
                } catch (Throwable e) {
                    failure = e;
                }
            }

            void deal(ConsumerRecords<byte[], byte[]> records) {
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                synchronized (Rolling.this) {
                    for (var record : records) {
                        read.computeIfAbsent(record.partition(), p -> new HashSet<>()).add(record.offset());
                        offsets.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                    }
                }
                if (offsets.isEmpty()) return;
                try {
                    consumer.commitSync(offsets);
                } catch (RetriableCommitFailedException | CommitFailedException
                        | org.apache.kafka.common.errors.RebalanceInProgressException e) {
                    return;
                }
                synchronized (Rolling.this) {
                    offsets.forEach((at, offset) -> {
                        long before = committed.getOrDefault(at.partition(), 0L);
                        if (offset.offset() < before) faults.add(name + " committed " + offset.offset() + " after " + before);
                        committed.put(at.partition(), offset.offset());
                    });
                }
            }

            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                Map<TopicPartition, Long> positions = new HashMap<>();
                for (TopicPartition at : partitions) positions.put(at, consumer.position(at));
                synchronized (Rolling.this) {
                    if (!partitions.isEmpty()) moves++;
                    for (TopicPartition at : partitions) {
                        Member holder = owners.put(at.partition(), this);
                        if (holder != null && holder != this) faults.add(at + " is " + holder + "'s and " + this + "'s");
                        long reached = committed.getOrDefault(at.partition(), 0L);
                        if (positions.get(at) < reached) faults.add(this + " begins " + at + " at " + positions.get(at));
                    }
                }
            }

            /** Also of what is lost, as it may be where the group becomes a classic one. */
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                synchronized (Rolling.this) {
                    for (TopicPartition at : partitions) owners.remove(at.partition(), this);
                }
            }

            void close() throws Exception {
                isClosing = true;
                thread.join();
                synchronized (Rolling.this) {
                    owners.values().removeIf(owner -> owner == this);
                }
                if (failure != null) throw new AssertionError(name + " failed", failure);
            }

            public String toString() { return name; }
        }
    }

    interface BooleanCheck { boolean holds(); }
}
