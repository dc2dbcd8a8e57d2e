complete -c kafka-configs -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-configs -l bootstrap-controller -d 'The controllers to connect to instead' -r
complete -c kafka-configs -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-configs -l add-config -d 'Alter: set these keys; square brackets keep a value with commas together' -r
complete -c kafka-configs -l add-config-file -d 'Alter: set the keys of this properties file' -r
complete -c kafka-configs -l delete-config -d 'Alter: remove these keys, so that their defaults hold again' -r
complete -c kafka-configs -l entity-type -d 'What the configuration belongs to: topics, brokers, broker-loggers, groups, client-metrics, users, clients or ips' -r
complete -c kafka-configs -l entity-name -d 'The name of the entity' -r
complete -c kafka-configs -l topic -d 'Short for --entity-type topics --entity-name NAME' -r
complete -c kafka-configs -l client -d 'Short for --entity-type clients --entity-name ID' -r
complete -c kafka-configs -l user -d 'Short for --entity-type users --entity-name PRINCIPAL' -r
complete -c kafka-configs -l broker -d 'Short for --entity-type brokers --entity-name ID' -r
complete -c kafka-configs -l broker-logger -d 'Short for --entity-type broker-loggers --entity-name ID' -r
complete -c kafka-configs -l ip -d 'Short for --entity-type ips --entity-name ADDRESS' -r
complete -c kafka-configs -l client-metrics -d 'Short for --entity-type client-metrics --entity-name NAME' -r
complete -c kafka-configs -l group -d 'Short for --entity-type groups --entity-name ID' -r
complete -c kafka-configs -l describe -d 'Show the configuration of the entity, or of all entities of the type'
complete -c kafka-configs -l alter -d 'Change the configuration of the entity'
complete -c kafka-configs -l all -d 'Describe: static and default values as well'
complete -c kafka-configs -l force -d 'Accepted and without effect: this tool asks nothing'
complete -c kafka-configs -l entity-default -d 'The default entity of the type: what holds where an entity has no configuration of its own'
complete -c kafka-configs -l client-defaults -d 'Short for --entity-type clients --entity-default'
complete -c kafka-configs -l user-defaults -d 'Short for --entity-type users --entity-default'
complete -c kafka-configs -l broker-defaults -d 'Short for --entity-type brokers --entity-default'
complete -c kafka-configs -l ip-defaults -d 'Short for --entity-type ips --entity-default'
complete -c kafka-configs -l help -d 'Print usage information'
complete -c kafka-configs -l version -d 'Print the version of Kafka whose tool this stands in for'
