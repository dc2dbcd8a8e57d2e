// AckedProducer BOOTSTRAP TOPIC PARTITIONS NAME RATE [KEY=VALUE ...]: the Java client's twin of
// client/examples/acked_producer.rs. Sends NAME:PARTITION:SEQUENCE:padding until its input ends and prints
// `PARTITION SEQUENCE OFFSET` or `fail PARTITION SEQUENCE why` for each record.

import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class AckedProducer {
    static final int IN_FLIGHT_MAX = 500;
    static final int PADDING_MAX = 200;
    static final int KEYS = 100;

    public static void main(String[] args) throws Exception {
        String topic = args[1], name = args[3];
        int partitions = Integer.parseInt(args[2]);
        double rate = Double.parseDouble(args[4]);
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        for (int i = 5; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            config.put(pair[0], pair[1]);
        }
        AtomicBoolean stopped = new AtomicBoolean();
        Thread input = new Thread(() -> {
            try {
                System.in.readAllBytes();
            } catch (java.io.IOException closed) {
                // That is an end, too.
            }
            stopped.set(true);
        });
        input.setDaemon(true);
        input.start();

        Semaphore room = new Semaphore(IN_FLIGHT_MAX);
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            long started = System.nanoTime();
            for (long sent = 0; !stopped.get(); sent++) {
                long wait = started + (long) (sent / rate * 1e9) - System.nanoTime();
                if (wait > 0) {
                    Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
                }
                int partition = (int) (sent % partitions);
                long sequence = sent / partitions;
                String value = name + ":" + partition + ":" + sequence + ":"
                        + "x".repeat((int) (sequence * 7919 % PADDING_MAX));
                room.acquire();
                String key = name + "-" + sequence % KEYS;
                var record = new ProducerRecord<byte[], byte[]>(topic, partition, key.getBytes(StandardCharsets.UTF_8),
                        value.getBytes(StandardCharsets.UTF_8));
                producer.send(record, (metadata, error) -> {
                    String line = error == null ? partition + " " + sequence + " " + metadata.offset()
                            : "fail " + partition + " " + sequence + " " + error;
                    synchronized (System.out) {
                        System.out.println(line);
                        System.out.flush();
                    }
                    room.release();
                });
            }
        }
    }
}
