complete -c kafka-log-dirs -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-log-dirs -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-log-dirs -l topic-list -d 'Only these topics, as a,b' -r
complete -c kafka-log-dirs -l broker-list -d 'Only these brokers, as 0,1,2' -r
complete -c kafka-log-dirs -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-log-dirs -l describe -d 'Describe the log directories'
complete -c kafka-log-dirs -l help -d 'Print usage information'
complete -c kafka-log-dirs -l version -d 'Print the version of Kafka whose tool this stands in for'
