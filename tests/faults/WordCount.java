// WordCount BOOTSTRAP FROM TO STATE_DIR: counts the records of a topic by their keys with Kafka Streams, exactly once: one record of
// TO for each of FROM, with the key and how often it was there up to then. Says `running` once it counts, and ends when
// its input does. Compiled, with the jars of tests/interop/streams on the class path.

import java.io.IOException;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.Stores;

public class WordCount {
    public static void main(String[] args) throws IOException {
        KafkaStreams streams = new KafkaStreams(topology(args[1], args[2]), config(args[0], args[3]));
        // A broker that is away for long ends a thread with an exception; as an application would, it begins again.
        streams.setUncaughtExceptionHandler(e -> {
            System.err.println("a thread ends: " + e);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("running");
            }
        });
        streams.start();
        while (System.in.read() >= 0) { }
        streams.close(Duration.ofSeconds(30));
    }

    static Topology topology(String from, String to) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(from, Consumed.with(Serdes.String(), Serdes.String()))
            // By way of a topic in between, as every new key goes.
            .selectKey((key, value) -> key)
            .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as(Stores.inMemoryKeyValueStore("counts")))
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to(to, Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    static Properties config(String bootstrap, String stateDir) {
        Properties config = new Properties();
        config.putAll(Map.of("application.id", "counter", "bootstrap.servers", bootstrap, "state.dir", stateDir,
            "processing.guarantee", "exactly_once_v2", "commit.interval.ms", "100", "statestore.cache.max.bytes", "0",
            "num.stream.threads", "2", "replication.factor", "1"));
        config.putAll(Map.of("consumer.session.timeout.ms", "4000", "consumer.heartbeat.interval.ms", "500",
            "consumer.auto.offset.reset", "earliest", "reconnect.backoff.max.ms", "200", "retry.backoff.ms", "50"));
        return config;
    }
}
