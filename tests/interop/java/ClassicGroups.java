// ClassicGroups BOOTSTRAP: the rules of groups in the classic protocol. One line for each check, `ok NAME` or
// `FAIL NAME: why`; exit status 1 if any failed. Apache Kafka passes all of them.

import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.errors.*;

public class ClassicGroups extends Groups {
    public static void main(String[] args) throws Exception {
        all(args[0], ClassicGroups::run);
    }

    static void run() {
        both(GroupType.CLASSIC, ClassicGroups::offering, "Range", "RoundRobin", "Sticky", "CooperativeSticky");
        check("a member that is gone without a word is missed after its session", () -> gone(Map.of()));
        check("the protocol that all members offer is chosen", ClassicGroups::commonProtocol);
        check("a member without a common protocol is turned away", ClassicGroups::noCommonProtocol);
        check("a session timeout out of bounds is refused", ClassicGroups::sessionTimeout);
        check("a member that was removed may not commit, and comes back", ClassicGroups::removedMember);
        check("a second one of the same instance fences the first", ClassicGroups::duplicateInstance);
    }

    static Map<String, Object> offering(String... assignors) {
        List<String> names = Arrays.stream(assignors)
            .map(name -> "org.apache.kafka.clients.consumer." + name + "Assignor").toList();
        return Map.of("partition.assignment.strategy", names);
    }

    static void commonProtocol() throws Exception {
        String group = fresh("common");
        try (Consumer<String, String> first = consumer(member(group, offering("Range", "RoundRobin")));
                Consumer<String, String> second = consumer(member(group, offering("Sticky", "RoundRobin")))) {
            share(topic(2), first, second);
            equal("roundrobin", admin.describeClassicGroups(List.of(group)).all().get().get(group).protocolData());
        }
    }

    static void noCommonProtocol() throws Exception {
        String topic = topic(1);
        String group = fresh("strangers");
        try (Consumer<String, String> first = consumer(member(group, offering("Range")));
                Consumer<String, String> second = consumer(member(group, offering("RoundRobin")))) {
            first.subscribe(List.of(topic));
            assigned(first, 1);
            second.subscribe(List.of(topic));
            throwing(InconsistentGroupProtocolException.class, () -> assigned(second, 1));
            assigned(first, 1);
        }
    }

    static void sessionTimeout() throws Exception {
        Map<String, Object> brief = Map.of("session.timeout.ms", 50, "heartbeat.interval.ms", 10);
        try (Consumer<String, String> consumer = consumer(member(fresh("session"), brief))) {
            consumer.subscribe(List.of(topic(1)));
            throwing(InvalidSessionTimeoutException.class, () -> assigned(consumer, 1));
        }
    }

    static void removedMember() throws Exception {
        String topic = topic(1);
        String group = fresh("removed");
        fill(topic, 1, 10);
        // It shall find out by its commit.
        Map<String, Object> slow = Map.of("session.timeout.ms", 30000, "heartbeat.interval.ms", 20000);
        try (Consumer<String, String> consumer = consumer(member(group, slow))) {
            consumer.subscribe(List.of(topic));
            read(consumer, 10);
            admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions()).all().get();
            throwing(CommitFailedException.class, consumer::commitSync);
            equal(10, read(consumer, 10).size());
            consumer.commitSync();
        }
    }

    static void duplicateInstance() throws Exception {
        String topic = topic(1);
        Map<String, Object> config = member(fresh("twins"), Map.of("group.instance.id", "one"));
        try (Consumer<String, String> first = consumer(config); Consumer<String, String> second = consumer(config)) {
            first.subscribe(List.of(topic));
            assigned(first, 1);
            second.subscribe(List.of(topic));
            assigned(second, 1);
            throwing(FencedInstanceIdException.class, () -> until(() -> {
                first.poll(Duration.ofMillis(100));
                return false;
            }, "the fence"));
            assigned(second, 1);
        }
    }
}
