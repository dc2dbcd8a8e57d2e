// The rules of groups that hold in both protocols, by Kafka's own Java clients: members of `group.protocol`, and offsets.
// ClassicGroups and ConsumerGroups are the programs.

import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;

abstract class Groups extends Checks {
    /** The least that a broker with the settings of `profile.properties` takes of a consumer group. */
    static final int SESSION_MS = 5000;
    static GroupType type;

    /** How a member asks for an assignor. */
    interface Assignor { Map<String, Object> named(String assignor); }

    static void both(GroupType of, Assignor by, String... assignors) {
        type = of;
        for (String assignor : assignors) {
            check("two members share a group and one takes over, " + assignor, () -> group(by.named(assignor)));
        }
        check("a static member comes back without a rebalance", Groups::staticMember);
        check("a static member that stays away is missed after its session", () -> gone(Map.of("group.instance.id", "two")));
        check("group offsets are committed, listed, altered and deleted", Groups::groupOffsets);
        check("metadata of a commit has its limit", Groups::tooMuchMetadata);
        check("a group that only commits is a simple one", Groups::simpleGroup);
        check("offsets of a deleted topic are not those of its namesake", Groups::recreatedTopic);
        check("groups are listed by state and type, described and deleted", Groups::groupLife);
    }

    static void group(Map<String, Object> assignor) throws Exception {
        String topic = topic(4);
        String group = fresh("group");
        fill(topic, 4, 25);
        Map<String, Object> config = member(group, assignor);
        Set<String> seen = new HashSet<>();
        try (Consumer<String, String> first = consumer(config)) {
            first.subscribe(List.of(topic));
            read(first, 100).forEach(r -> seen.add(r.partition() + ":" + r.offset()));
            first.commitSync();
            try (Consumer<String, String> second = consumer(config)) {
                second.subscribe(List.of(topic));
                until(() -> {
                    first.poll(Duration.ofMillis(50));
                    second.poll(Duration.ofMillis(50));
                    return first.assignment().size() == 2 && second.assignment().size() == 2;
                }, "two partitions each");
                equal(2, described(group).members().size());
            }
            assigned(first, 4);
        }
        equal(100, seen.size());
        fill(topic, 4, 1);
        try (Consumer<String, String> third = consumer(config)) {
            third.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> read = read(third, 4);
            equal(List.of(25L), read.stream().map(ConsumerRecord::offset).distinct().toList());
        }
    }

    /** `second`: what makes it a member that can end and remain in the group. */
    static void gone(Map<String, Object> second) throws Exception {
        String group = fresh("gone");
        try (Consumer<String, String> stays = consumer(member(group, Map.of()))) {
            Consumer<String, String> goes = consumer(member(group, second));
            share(topic(2), stays, goes);
            goes.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP));
            equal(2, described(group).members().size());
            assigned(stays, 2);
        }
    }

    static void staticMember() throws Exception {
        String topic = topic(2);
        String group = fresh("static");
        Map<String, Object> config = member(group, Map.of("group.instance.id", "one"));
        try (Consumer<String, String> consumer = consumer(config)) {
            consumer.subscribe(List.of(topic));
            assigned(consumer, 2);
            String member = consumer.groupMetadata().memberId();
            int generation = consumer.groupMetadata().generationId();
            consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)));
            try (Consumer<String, String> again = consumer(config)) {
                again.subscribe(List.of(topic));
                assigned(again, 2);
                equal(generation, again.groupMetadata().generationId());
                isTrue(!member.equals(again.groupMetadata().memberId()), "the member id must be a new one");
            }
        }
        var remove = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")));
        admin.removeMembersFromConsumerGroup(group, remove).all().get();
        equal(GroupState.EMPTY, described(group).groupState());
        fails(UnknownMemberIdException.class, admin.removeMembersFromConsumerGroup(group, remove).all());
    }

    static void groupOffsets() throws Exception {
        String topic = topic(2);
        String group = fresh("offsets");
        fill(topic, 2, 10);
        TopicPartition zero = new TopicPartition(topic, 0), one = new TopicPartition(topic, 1);
        try (Consumer<String, String> consumer = consumer(member(group, Map.of()))) {
            consumer.subscribe(List.of(topic));
            read(consumer, 20);
            consumer.commitSync(Map.of(zero, new OffsetAndMetadata(7, "seven"), one, new OffsetAndMetadata(3)));
            equal(7L, consumer.committed(Set.of(zero)).get(zero).offset());
            fails(GroupSubscribedToTopicException.class, admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all());
            fails(UnknownMemberIdException.class,
                admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(1))).all());
        }
        var listed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal("seven", listed.get(zero).metadata());
        equal(3L, listed.get(one).offset());
        admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(1))).all().get();
        admin.deleteConsumerGroupOffsets(group, Set.of(one)).all().get();
        listed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal(1L, listed.get(zero).offset());
        equal(null, listed.get(one));
    }

    static void tooMuchMetadata() throws Exception {
        TopicPartition at = new TopicPartition(topic(1), 0);
        try (Consumer<String, String> consumer = consumer(member(fresh("wordy"), Map.of()))) {
            consumer.assign(List.of(at));
            throwing(OffsetMetadataTooLarge.class,
                () -> consumer.commitSync(Map.of(at, new OffsetAndMetadata(1, "x".repeat(4097)))));
            consumer.commitSync(Map.of(at, new OffsetAndMetadata(1, "x".repeat(4096))));
        }
    }

    /** Of the classic type whatever the protocol: no member has joined. */
    static void simpleGroup() throws Exception {
        TopicPartition at = new TopicPartition(topic(1), 0);
        String group = fresh("simple");
        try (Consumer<String, String> consumer = consumer(member(group, Map.of()))) {
            consumer.assign(List.of(at));
            consumer.commitSync(Map.of(at, new OffsetAndMetadata(5, Optional.of(0), "")));
            OffsetAndMetadata committed = consumer.committed(Set.of(at)).get(at);
            equal(new OffsetAndMetadata(5, Optional.of(0), ""), committed);
        }
        var listed = admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC))).all().get().stream()
            .filter(g -> g.groupId().equals(group)).findFirst().orElseThrow();
        isTrue(listed.isSimpleConsumerGroup(), "not a simple group");
        equal(Optional.of(GroupState.EMPTY), listed.groupState());
    }

    static void recreatedTopic() throws Exception {
        TopicPartition at = new TopicPartition(topic(1), 0);
        try (Consumer<String, String> consumer = consumer(member(fresh("reader"), Map.of()))) {
            consumer.assign(List.of(at));
            consumer.commitSync(Map.of(at, new OffsetAndMetadata(5)));
            admin.deleteTopics(List.of(at.topic())).all().get();
            until(() -> partitions(at.topic()) == 0, "the end of the topic");
            admin.createTopics(List.of(new NewTopic(at.topic(), 1, (short) 1))).all().get();
            until(() -> consumer.committed(Set.of(at)).get(at) == null, "no offset");
        }
    }

    static void groupLife() throws Exception {
        String topic = topic(1);
        String group = fresh("life");
        try (Consumer<String, String> consumer = consumer(member(group, Map.of("client.id", "the-client")))) {
            consumer.subscribe(List.of(topic));
            assigned(consumer, 1);
            until(() -> described(group).groupState() == GroupState.STABLE, "a stable group");
            MemberDescription member = described(group).members().iterator().next();
            equal("the-client", member.clientId());
            equal(Set.of(new TopicPartition(topic, 0)), member.assignment().topicPartitions());
            fails(GroupNotEmptyException.class, admin.deleteConsumerGroups(List.of(group)).all());
        }
        until(() -> described(group).groupState() == GroupState.EMPTY, "an empty group");
        equal(type, described(group).type());
        for (GroupState state : List.of(GroupState.EMPTY, GroupState.STABLE)) {
            for (GroupType listed : List.of(GroupType.CLASSIC, GroupType.CONSUMER)) {
                var options = new ListGroupsOptions().withTypes(Set.of(listed)).inGroupStates(Set.of(state));
                boolean isIn = admin.listGroups(options).all().get().stream().anyMatch(g -> g.groupId().equals(group));
                equal(state == GroupState.EMPTY && listed == type, isIn);
            }
        }
        admin.deleteConsumerGroups(List.of(group)).all().get();
        fails(GroupIdNotFoundException.class, admin.deleteConsumerGroups(List.of(group)).all());
    }

    // ------------------------------------------------------------------ members

    /** A session of SESSION_MS: the member says so in the classic protocol, the group's configuration in the other. */
    static Map<String, Object> member(String group, Map<String, Object> more) throws Exception {
        Map<String, Object> config = new HashMap<>(Map.of("group.id", group, "enable.auto.commit", false));
        config.put("group.protocol", type.toString().toLowerCase(Locale.ROOT));
        if (type == GroupType.CLASSIC) {
            config.putAll(Map.of("session.timeout.ms", SESSION_MS, "heartbeat.interval.ms", 200));
        } else {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            alter(resource, set("consumer.session.timeout.ms", SESSION_MS), set("consumer.heartbeat.interval.ms", 1000));
        }
        config.putAll(more);
        return config;
    }

    static AlterConfigOp set(String key, int value) {
        return new AlterConfigOp(new ConfigEntry(key, String.valueOf(value)), AlterConfigOp.OpType.SET);
    }

    static ConsumerGroupDescription described(String group) {
        try {
            return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Both subscribe, and have one partition each of two. */
    static void share(String topic, Consumer<?, ?> first, Consumer<?, ?> second) {
        first.subscribe(List.of(topic));
        second.subscribe(List.of(topic));
        until(() -> {
            first.poll(Duration.ofMillis(50));
            second.poll(Duration.ofMillis(50));
            return first.assignment().size() == 1 && second.assignment().size() == 1;
        }, "one partition each");
    }
}
