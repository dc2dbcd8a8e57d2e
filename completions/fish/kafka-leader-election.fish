complete -c kafka-leader-election -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-leader-election -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-leader-election -l admin.config -d 'The older name of --command-config (deprecated)' -r
complete -c kafka-leader-election -l election-type -d 'preferred: the first of the replicas; unclean: any that is alive, where none in sync is, at the price of records' -r
complete -c kafka-leader-election -l topic -d 'For a partition of this topic' -r
complete -c kafka-leader-election -l partition -d 'The partition of the topic' -r
complete -c kafka-leader-election -l path-to-json-file -d 'For the partitions in this file: {"partitions": [{"topic": "t", "partition": 0}]}' -r
complete -c kafka-leader-election -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-leader-election -l all-topic-partitions -d 'For all partitions that need an election of this type'
complete -c kafka-leader-election -l help -d 'Print usage information'
complete -c kafka-leader-election -l version -d 'Print the version of Kafka whose tool this stands in for'
