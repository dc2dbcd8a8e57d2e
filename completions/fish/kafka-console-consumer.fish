complete -c kafka-console-consumer -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-console-consumer -l topic -d 'The topic to read' -r
complete -c kafka-console-consumer -l include -d 'Read all topics whose whole name matches a regular expression' -r
complete -c kafka-console-consumer -l partition -d 'Read one partition, without being a member of a group' -r
complete -c kafka-console-consumer -l offset -d 'Where to begin in the partition: a number, earliest, or latest [latest]' -r
complete -c kafka-console-consumer -l group -d 'The consumer group to be a member of [console-consumer-NUMBER, which commits nothing and is deleted at the end]' -r
complete -c kafka-console-consumer -l max-messages -d 'End after so many records' -r
complete -c kafka-console-consumer -l timeout-ms -d 'End when no record has come for so long' -r
complete -c kafka-console-consumer -l isolation-level -d 'read_uncommitted or read_committed [read_uncommitted]' -r
complete -c kafka-console-consumer -l formatter -d 'How to show records: DefaultMessageFormatter, LoggingMessageFormatter, NoOpMessageFormatter, OffsetsMessageFormatter, GroupMetadataMessageFormatter, TransactionLogMessageFormatter, ShareGroupMessageFormatter or group.share.ShareGroupStateMessageFormatter, all of them in org.apache.kafka.tools.consumer' -r
complete -c kafka-console-consumer -l formatter-property -d 'A property of the formatter, KEY=VALUE: print.timestamp, print.partition, print.offset, print.delivery, print.epoch, print.headers, print.key, print.value (all true or false), key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer' -r
complete -c kafka-console-consumer -l formatter-config -d 'A file with properties of the formatter' -r
complete -c kafka-console-consumer -l property -d 'Old name of --formatter-property' -r
complete -c kafka-console-consumer -l key-deserializer -d 'How to read keys: a class of org.apache.kafka.common.serialization, or string, short, integer, long, float, double, boolean, uuid, bytes, hex, base64; the bytes as they are where none is named' -r
complete -c kafka-console-consumer -l value-deserializer -d 'The same for values' -r
complete -c kafka-console-consumer -l command-property -d 'A property of the consumer, KEY=VALUE' -r
complete -c kafka-console-consumer -l command-config -d 'A file with properties of the consumer' -r
complete -c kafka-console-consumer -l consumer-property -d 'Old name of --command-property' -r
complete -c kafka-console-consumer -l consumer.config -d 'Old name of --command-config' -r
complete -c kafka-console-consumer -l from-beginning -d 'Begin with the first record, where the group has no offset yet, instead of what comes next'
complete -c kafka-console-consumer -l skip-message-on-error -d 'Go on behind a record that cannot be shown'
complete -c kafka-console-consumer -l enable-systest-events -d 'Say on standard output when the tool is done'
complete -c kafka-console-consumer -l help -d 'Print usage information'
complete -c kafka-console-consumer -l version -d 'Print the version of Kafka whose tool this stands in for'
