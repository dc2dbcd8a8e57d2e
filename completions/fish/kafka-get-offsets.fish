complete -c kafka-get-offsets -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-get-offsets -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-get-offsets -l topic -d 'Regular expressions of topics, separated by commas, each of which matches whole names; all topics by default' -r
complete -c kafka-get-offsets -l partitions -d 'Only these partitions, separated by commas' -r
complete -c kafka-get-offsets -l topic-partitions -d 'Topics with their partitions, separated by commas: TOPIC, TOPIC:2, TOPIC:0-3 (3 is not in), TOPIC:2-, TOPIC:-3' -r
complete -c kafka-get-offsets -l time -d 'Which offset: of the first record at or after a time (milliseconds since 1970), or -1/latest, -2/earliest, -3/max-timestamp, -4/earliest-local, -5/latest-tiered, -6/earliest-pending-upload; latest by default' -r
complete -c kafka-get-offsets -l exclude-internal-topics -d 'Leave the cluster\'s own topics out'
complete -c kafka-get-offsets -l help -d 'Print usage information'
complete -c kafka-get-offsets -l version -d 'Print the version of Kafka whose tool this stands in for'
