complete -c kafka-producer-perf-test -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-producer-perf-test -l topic -d 'The topic to send to' -r
complete -c kafka-producer-perf-test -l num-records -d 'So many records are sent' -r
complete -c kafka-producer-perf-test -l payload-delimiter -d 'A regular expression that stands between the payloads of --payload-file' -r
complete -c kafka-producer-perf-test -l throughput -d 'So many records a second at most, fractions too; -1 is no limit' -r
complete -c kafka-producer-perf-test -l producer-props -d 'Old name of --command-property' -r
complete -c kafka-producer-perf-test -l command-property -d 'Properties of the producer, each as KEY=VALUE; they win over those of --command-config' -r
complete -c kafka-producer-perf-test -l producer.config -d 'Old name of --command-config' -r
complete -c kafka-producer-perf-test -l command-config -d 'A file with properties of the producer' -r
complete -c kafka-producer-perf-test -l transactional-id -d 'Send the records in transactions, under this id' -r
complete -c kafka-producer-perf-test -l transaction-duration-ms -d 'Commit after so long, and go on in the next transaction [with a transactional id: 3000]; without an id one is made up' -r
complete -c kafka-producer-perf-test -l warmup-records -d 'So many records come before the steady state, which has a summary of its own' -r
complete -c kafka-producer-perf-test -l reporting-interval -d 'How often to tell how it goes, in milliseconds' -r
complete -c kafka-producer-perf-test -l record-size -d 'Size of each record\'s value in bytes, random letters' -r
complete -c kafka-producer-perf-test -l payload-file -d 'A file with values, of which each record gets one by chance' -r
complete -c kafka-producer-perf-test -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-producer-perf-test -l print-metrics -d 'Print what the producer has counted at the end'
complete -c kafka-producer-perf-test -l payload-monotonic -d 'Values are the numbers from 0 on'
complete -c kafka-producer-perf-test -s h -l help -d 'Print help'
