complete -c kafka-verifiable-consumer -l topic -d 'The topic to read' -r
complete -c kafka-verifiable-consumer -l group-protocol -d 'The protocol of the group: classic or consumer' -r
complete -c kafka-verifiable-consumer -l group-remote-assignor -d 'The assignor that the coordinator is to use, with --group-protocol consumer' -r
complete -c kafka-verifiable-consumer -l group-id -d 'The consumer group to be a member of' -r
complete -c kafka-verifiable-consumer -l group-instance-id -d 'The name of a static member' -r
complete -c kafka-verifiable-consumer -l max-messages -d 'End after so many records; -1: go on until it is ended' -r
complete -c kafka-verifiable-consumer -l session-timeout -d 'After how long without a heartbeat the member is given up, with --group-protocol classic' -r
complete -c kafka-verifiable-consumer -l reset-policy -d 'Where to begin where nothing is committed: earliest, latest or none' -r
complete -c kafka-verifiable-consumer -l assignment-strategy -d 'The assignor of the group, with --group-protocol classic' -r
complete -c kafka-verifiable-consumer -l consumer.config -d 'Old name of --command-config' -r
complete -c kafka-verifiable-consumer -l command-config -d 'A file with properties of the consumer; options win over them' -r
complete -c kafka-verifiable-consumer -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-verifiable-consumer -l verbose -d 'Tell of each record'
complete -c kafka-verifiable-consumer -l enable-autocommit -d 'Have the consumer commit by itself, and tell of no commit'
complete -c kafka-verifiable-consumer -s h -l help -d 'Print help'
