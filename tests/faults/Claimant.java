// Claimant BOOTSTRAP TOPIC PARTITIONS TRANSACTIONAL_ID: claimant.py's twin by Kafka's own client, where the lines are told. Run from
// its source, with Kafka's jars on the class path.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringSerializer;

public class Claimant {
    static KafkaProducer<String, String> producer;

    public static void main(String[] args) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            System.out.println(outcome(args, line.split(" ")));
        }
        System.exit(0);
    }

    static String outcome(String[] args, String[] words) {
        try {
            execute(args, words);
            return "done";
        } catch (KafkaException error) {
            return told(error);
        }
    }

    static void execute(String[] args, String[] words) {
        switch (words[0]) {
            case "claim" -> {
                if (producer != null) producer.close(java.time.Duration.ZERO);
                Map<String, Object> config = Map.of("bootstrap.servers", args[0], "transactional.id", args[3]);
                producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
                producer.initTransactions();
            }
            case "begin" -> {
                producer.beginTransaction();
                for (int partition = 0; partition < Integer.parseInt(args[2]); partition++) {
                    producer.send(new ProducerRecord<>(args[1], partition, null, words[1]));
                }
            }
            default -> producer.commitTransaction();
        }
    }

    /** An error of a batch calls for an abort, which tells what it was. */
    static String told(KafkaException error) {
        String why = error.getClass().getSimpleName();
        if (isFenced(error) || isFenced(error.getCause())) return "fenced " + why;
        try {
            producer.abortTransaction();
        } catch (KafkaException second) {
            if (isFenced(second)) return "fenced " + second.getClass().getSimpleName();
        }
        return "failed " + why + ": " + error.getMessage();
    }

    static boolean isFenced(Throwable error) {
        return error instanceof ProducerFencedException || error instanceof InvalidProducerEpochException;
    }
}
