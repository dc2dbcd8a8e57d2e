# Completion of ottla and its tools for fish: `source` this file, or put it into conf.d. Made by `ottla --generate`.
function __ottla_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l ottla (command -s ottla; or path resolve (command -s $before[1]))
    set -l found ($ottla[1] complete fish $before "$word" 2>/dev/null)
    # Status 3 asks for names of files.
    if test $status -eq 3
        __fish_complete_path "$word"
    else
        printf '%s\n' $found
    end
end
for name in ottla kafka-server-start kafka-server-start.sh ottla-server ottla-run kafka-dump-log kafka-dump-log.sh ottla-dump-log ottla-log kafka-storage kafka-storage.sh ottla-storage ottla-install-links kafka-topics kafka-topics.sh ottla-topics ottla-topics-apply ottla-topics-export kafka-configs kafka-configs.sh ottla-configs kafka-acls kafka-acls.sh ottla-acls kafka-client-metrics kafka-client-metrics.sh ottla-client-metrics kafka-console-producer kafka-console-producer.sh ottla-console-producer kafka-console-consumer kafka-console-consumer.sh ottla-console-consumer kafka-consumer-groups kafka-consumer-groups.sh ottla-consumer-groups kafka-groups kafka-groups.sh ottla-groups kafka-get-offsets kafka-get-offsets.sh ottla-get-offsets kafka-delete-records kafka-delete-records.sh ottla-delete-records kafka-log-dirs kafka-log-dirs.sh ottla-log-dirs kafka-leader-election kafka-leader-election.sh ottla-leader-election kafka-reassign-partitions kafka-reassign-partitions.sh ottla-reassign-partitions kafka-transactions kafka-transactions.sh ottla-transactions kafka-broker-api-versions kafka-broker-api-versions.sh ottla-broker-api-versions kafka-cluster kafka-cluster.sh ottla-cluster kafka-features kafka-features.sh ottla-features kafka-metadata-quorum kafka-metadata-quorum.sh ottla-metadata-quorum kafka-producer-perf-test kafka-producer-perf-test.sh ottla-producer-perf-test kafka-consumer-perf-test kafka-consumer-perf-test.sh ottla-consumer-perf-test kafka-e2e-latency kafka-e2e-latency.sh ottla-e2e-latency kafka-verifiable-producer kafka-verifiable-producer.sh ottla-verifiable-producer kafka-verifiable-consumer kafka-verifiable-consumer.sh ottla-verifiable-consumer ottla-pipe ottla-top ottla-context ottla-doctor
    complete -c $name -f -a '(__ottla_complete)'
end
