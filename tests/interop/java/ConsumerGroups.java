// ConsumerGroups BOOTSTRAP: the rules of groups in the consumer protocol (KIP-848). One line for each check, `ok NAME` or
// `FAIL NAME: why`; exit status 1 if any failed. Apache Kafka passes all of them.

import java.time.Duration;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;

public class ConsumerGroups extends Groups {
    public static void main(String[] args) throws Exception {
        all(args[0], ConsumerGroups::run);
    }

    static void run() {
        both(GroupType.CONSUMER, name -> Map.of("group.remote.assignor", name), "uniform", "range");
        check("only what moves is given up", ConsumerGroups::incremental);
        check("an assignor that the broker does not have is refused", ConsumerGroups::unknownAssignor);
        check("a pattern takes in topics that come and go", ConsumerGroups::pattern);
        check("a pattern that is none is refused", ConsumerGroups::badPattern);
        check("a second one of an instance that lives is turned away", ConsumerGroups::duplicateInstance);
        check("members cannot be removed but by their instance", ConsumerGroups::removedMember);
        check("a subscription changes without the loss of what stays", ConsumerGroups::changedSubscription);
        check("new partitions are taken up", ConsumerGroups::grownTopic);
        check("sessions out of bounds are refused", ConsumerGroups::sessionTimeout);
    }

    /** What a member was told to give up and to take, in the order in which it was. */
    static class Moves implements ConsumerRebalanceListener {
        final List<String> told = Collections.synchronizedList(new ArrayList<>());

        public void onPartitionsAssigned(Collection<TopicPartition> partitions) { tell("+", partitions); }

        public void onPartitionsRevoked(Collection<TopicPartition> partitions) { tell("-", partitions); }

        public void onPartitionsLost(Collection<TopicPartition> partitions) { tell("!", partitions); }

        void tell(String sign, Collection<TopicPartition> partitions) {
            if (!partitions.isEmpty()) {
                told.add(partitions.stream().map(at -> String.valueOf(at.partition())).sorted()
                    .collect(Collectors.joining(" ", sign, "")));
            }
        }
    }

    static void incremental() throws Exception {
        String topic = topic(4);
        String group = fresh("incremental");
        Moves ofFirst = new Moves(), ofSecond = new Moves();
        try (Consumer<String, String> first = consumer(member(group, Map.of("client.id", "first")))) {
            first.subscribe(List.of(topic), ofFirst);
            assigned(first, 4);
            try (Consumer<String, String> second = consumer(member(group, Map.of("client.id", "second")))) {
                second.subscribe(List.of(topic), ofSecond);
                until(() -> {
                    first.poll(Duration.ofMillis(50));
                    second.poll(Duration.ofMillis(50));
                    return first.assignment().size() == 2 && second.assignment().size() == 2;
                }, "two partitions each");
                equal(2, ofFirst.told.size());
                equal(1, ofSecond.told.size());
                // What the one gave up is what the other took.
                equal(ofFirst.told.get(1).substring(1), ofSecond.told.get(0).substring(1));
                until(() -> described(group).groupState() == GroupState.STABLE, "a stable group");
                agree(described(group), Map.of("first", first, "second", second));
            }
            assigned(first, 4);
            equal(ofSecond.told.get(0), ofFirst.told.get(2));
        }
    }

    /** A stable group is where it is going, in epochs and in partitions. */
    static void agree(ConsumerGroupDescription group, Map<String, Consumer<String, String>> members) {
        equal("uniform", group.partitionAssignor());
        equal(group.groupEpoch(), group.targetAssignmentEpoch());
        equal(members.keySet(), group.members().stream().map(MemberDescription::clientId).collect(Collectors.toSet()));
        for (MemberDescription member : group.members()) {
            equal(group.groupEpoch(), member.memberEpoch());
            equal(Optional.of(true), member.upgraded());
            Consumer<String, String> consumer = members.get(member.clientId());
            equal(consumer.groupMetadata().memberId(), member.consumerId());
            equal(consumer.assignment(), member.assignment().topicPartitions());
            equal(consumer.assignment(), member.targetAssignment().orElseThrow().topicPartitions());
        }
    }

    static void unknownAssignor() throws Exception {
        Map<String, Object> config = member(fresh("odd"), Map.of("group.remote.assignor", "alphabetic"));
        try (Consumer<String, String> consumer = consumer(config)) {
            consumer.subscribe(List.of(topic(1)));
            throwing(UnsupportedAssignorException.class, () -> assigned(consumer, 1));
        }
    }

    static void pattern() throws Exception {
        String stem = fresh("pattern");
        create(stem + ".a", 1);
        create(stem + ".b", 2);
        create(stem + "-no", 4);
        try (Consumer<String, String> consumer = consumer(member(fresh("readers"), Map.of()))) {
            consumer.subscribe(new SubscriptionPattern(stem + "\\.[a-z]"));
            assigned(consumer, 3);
            create(stem + ".c", 4);
            assigned(consumer, 7);
            admin.deleteTopics(List.of(stem + ".b")).all().get();
            assigned(consumer, 5);
        }
    }

    static void badPattern() throws Exception {
        try (Consumer<String, String> consumer = consumer(member(fresh("bad"), Map.of()))) {
            consumer.subscribe(new SubscriptionPattern("a(b"));
            throwing(InvalidRegularExpression.class, () -> assigned(consumer, 1));
        }
    }

    static void duplicateInstance() throws Exception {
        String topic = topic(1);
        Map<String, Object> config = member(fresh("twins"), Map.of("group.instance.id", "one"));
        try (Consumer<String, String> first = consumer(config); Consumer<String, String> second = consumer(config)) {
            first.subscribe(List.of(topic));
            assigned(first, 1);
            second.subscribe(List.of(topic));
            throwing(UnreleasedInstanceIdException.class, () -> assigned(second, 1));
            assigned(first, 1);
        }
    }

    static void removedMember() throws Exception {
        String group = fresh("removed");
        Moves moves = new Moves();
        try (Consumer<String, String> named = consumer(member(group, Map.of("group.instance.id", "one")));
                Consumer<String, String> nameless = consumer(member(group, Map.of()))) {
            String topic = topic(2);
            share(topic, nameless, named);
            named.subscribe(List.of(topic), moves);
            // Else it may find out by its fetch of committed offsets, which fails.
            named.assignment().forEach(named::position);
            var byInstance = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")));
            admin.removeMembersFromConsumerGroup(group, byInstance).all().get();
            equal(1, described(group).members().size());
            until(() -> {
                nameless.poll(Duration.ofMillis(50));
                named.poll(Duration.ofMillis(50));
                return moves.told.size() == 2;
            }, "a partition lost and one assigned");
            isTrue(moves.told.get(0).startsWith("!") && moves.told.get(1).startsWith("+"), moves.told.toString());
        }
    }

    static void changedSubscription() throws Exception {
        String stays = topic(2), goes = topic(1), comes = topic(3);
        Moves moves = new Moves();
        try (Consumer<String, String> consumer = consumer(member(fresh("fickle"), Map.of()))) {
            consumer.subscribe(List.of(stays, goes), moves);
            assigned(consumer, 3);
            consumer.subscribe(List.of(stays, comes), moves);
            assigned(consumer, 5);
            equal(Set.of(stays, comes), consumer.assignment().stream().map(TopicPartition::topic).collect(Collectors.toSet()));
            equal(List.of("-0"), moves.told.stream().filter(told -> told.startsWith("-")).toList());
        }
    }

    static void grownTopic() throws Exception {
        String topic = topic(1);
        Moves moves = new Moves();
        try (Consumer<String, String> consumer = consumer(member(fresh("growing"), Map.of()))) {
            consumer.subscribe(List.of(topic), moves);
            assigned(consumer, 1);
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            assigned(consumer, 3);
            equal(List.of("+0", "+1 2"), moves.told);
        }
    }

    static void sessionTimeout() throws Exception {
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, fresh("session"));
        for (int outOfBounds : List.of(1, 3_600_000)) {
            var refused = admin.incrementalAlterConfigs(Map.of(group, List.of(set("consumer.session.timeout.ms", outOfBounds))));
            fails(InvalidConfigurationException.class, refused.all());
        }
    }

    static void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }
}
