complete -c kafka-topics -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-topics -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-topics -l topic -d 'The name of the topic to create; for the other actions a list of regular expressions separated by commas, each of which matches whole names' -r
complete -c kafka-topics -l topic-id -d 'The id of the one topic to describe' -r
complete -c kafka-topics -l config -d 'A configuration of the new topic; may be repeated' -r
complete -c kafka-topics -l delete-config -d 'No longer does anything' -r
complete -c kafka-topics -l partitions -d 'How many partitions the topic shall have; a new topic has the broker\'s default otherwise. More partitions change which partition a key belongs to' -r
complete -c kafka-topics -l replication-factor -d 'How many replicas each partition of the new topic shall have; the broker\'s default otherwise' -r
complete -c kafka-topics -l replica-assignment -d 'The brokers of each partition: commas between partitions, colons between the replicas of one' -r
complete -c kafka-topics -l partition-size-limit-per-response -d 'How many partitions the broker shall describe in one response' -r
complete -c kafka-topics -l list -d 'List the topics'
complete -c kafka-topics -l create -d 'Create a topic'
complete -c kafka-topics -l delete -d 'Delete topics'
complete -c kafka-topics -l alter -d 'Give topics more partitions (kafka-configs changes their configuration)'
complete -c kafka-topics -l describe -d 'Show partitions, leaders, replicas and configuration of topics'
complete -c kafka-topics -l under-replicated-partitions -d 'Describe only partitions with fewer replicas in sync than they have'
complete -c kafka-topics -l unavailable-partitions -d 'Describe only partitions without a leader that is alive'
complete -c kafka-topics -l under-min-isr-partitions -d 'Describe only partitions with fewer replicas in sync than min.insync.replicas asks for'
complete -c kafka-topics -l at-min-isr-partitions -d 'Describe only partitions with just as many replicas in sync as min.insync.replicas asks for'
complete -c kafka-topics -l topics-with-overrides -d 'Describe only topics with configuration of their own, without their partitions'
complete -c kafka-topics -l if-exists -d 'Alter, delete, describe: a topic that does not exist is no error'
complete -c kafka-topics -l if-not-exists -d 'Create: a topic that exists already is no error'
complete -c kafka-topics -l exclude-internal -d 'List, describe: leave the cluster\'s own topics out'
complete -c kafka-topics -l help -d 'Print usage information'
complete -c kafka-topics -l version -d 'Print the version of Kafka whose tool this stands in for'
