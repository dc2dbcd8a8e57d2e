complete -c kafka-consumer-perf-test -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-consumer-perf-test -l topic -d 'The topic to read' -r
complete -c kafka-consumer-perf-test -l include -d 'Read all topics whose whole name matches a regular expression' -r
complete -c kafka-consumer-perf-test -l group -d 'The consumer group to be a member of [perf-consumer-NUMBER]' -r
complete -c kafka-consumer-perf-test -l fetch-size -d 'Bytes of one partition in a response [1048576]' -r
complete -c kafka-consumer-perf-test -l command-property -d 'A property of the consumer, KEY=VALUE' -r
complete -c kafka-consumer-perf-test -l socket-buffer-size -d 'Size of the socket\'s receive buffer [2097152]' -r
complete -c kafka-consumer-perf-test -l consumer.config -d 'Old name of --command-config' -r
complete -c kafka-consumer-perf-test -l command-config -d 'A file with properties of the consumer' -r
complete -c kafka-consumer-perf-test -l timeout -d 'End when no record has come for so long [10000]' -r
complete -c kafka-consumer-perf-test -l messages -d 'Old name of --num-records' -r
complete -c kafka-consumer-perf-test -l num-records -d 'End after so many records' -r
complete -c kafka-consumer-perf-test -l reporting-interval -d 'How often to tell how it goes, in milliseconds [5000]' -r
complete -c kafka-consumer-perf-test -l date-format -d 'How times look, as java.text.SimpleDateFormat has it [yyyy-MM-dd HH:mm:ss:SSS]' -r
complete -c kafka-consumer-perf-test -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-consumer-perf-test -l from-latest -d 'Begin with what comes next, where the group has no offset yet, instead of the first record'
complete -c kafka-consumer-perf-test -l print-metrics -d 'Print what the consumer has counted at the end'
complete -c kafka-consumer-perf-test -l show-detailed-stats -d 'Tell how it goes at each reporting interval, instead of a summary'
complete -c kafka-consumer-perf-test -l hide-header -d 'Leave out the line with the names of the columns'
complete -c kafka-consumer-perf-test -l help -d 'Print usage information'
complete -c kafka-consumer-perf-test -l version -d 'Print the version of Kafka whose tool this stands in for'
