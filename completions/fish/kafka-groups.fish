complete -c kafka-groups -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-groups -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-groups -l group-type -d 'Only groups of this type: classic, consumer, share or streams' -r
complete -c kafka-groups -l protocol -d 'Only groups whose members speak this protocol, as consumer or connect' -r
complete -c kafka-groups -l list -d 'List the groups'
complete -c kafka-groups -l consumer -d 'Only groups of consumers, of either protocol, and those that only have offsets'
complete -c kafka-groups -l share -d 'Only share groups'
complete -c kafka-groups -l streams -d 'Only streams groups'
complete -c kafka-groups -l help -d 'Print usage information'
complete -c kafka-groups -l version -d 'Print the version of Kafka whose tool this stands in for'
