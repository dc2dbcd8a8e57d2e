complete -c kafka-reassign-partitions -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-reassign-partitions -l bootstrap-controller -d 'The controllers to connect to, for --cancel and --list' -r
complete -c kafka-reassign-partitions -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-reassign-partitions -l topics-to-move-json-file -d 'The topics to propose brokers for: {"topics": [{"topic": "t"}], "version": 1}' -r
complete -c kafka-reassign-partitions -l broker-list -d 'The brokers to propose, as 0,1,2' -r
complete -c kafka-reassign-partitions -l reassignment-json-file -d 'The plan: {"partitions": [{"topic": "t", "partition": 0, "replicas": [1, 2], "log_dirs": ["any", "/data"]}], "version": 1}; log_dirs may be left out' -r
complete -c kafka-reassign-partitions -l throttle -d 'Move so many bytes a second between brokers at most [no limit]' -r
complete -c kafka-reassign-partitions -l replica-alter-log-dirs-throttle -d 'Move so many bytes a second between the log directories of a broker at most [no limit]' -r
complete -c kafka-reassign-partitions -l timeout -d 'How long to wait for moves between log directories to begin [10000]' -r
complete -c kafka-reassign-partitions -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-reassign-partitions -l generate -d 'Propose brokers for the partitions of topics, and do nothing'
complete -c kafka-reassign-partitions -l execute -d 'Begin what a plan asks for'
complete -c kafka-reassign-partitions -l verify -d 'Show how far a plan is, and take the throttles back when it is done'
complete -c kafka-reassign-partitions -l cancel -d 'End what a plan has begun'
complete -c kafka-reassign-partitions -l list -d 'List what is under way'
complete -c kafka-reassign-partitions -l disable-rack-aware -d 'Propose brokers without a look at their racks'
complete -c kafka-reassign-partitions -l additional -d 'Begin also while others are under way, or change their throttle'
complete -c kafka-reassign-partitions -l disallow-replication-factor-change -d 'Begin nothing that changes how many replicas a partition has'
complete -c kafka-reassign-partitions -l preserve-throttles -d 'Leave throttles as they are'
complete -c kafka-reassign-partitions -l help -d 'Print usage information'
complete -c kafka-reassign-partitions -l version -d 'Print the version of Kafka whose tool this stands in for'
