complete -c kafka-console-producer -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-console-producer -l topic -d 'The topic to send to' -r
complete -c kafka-console-producer -l transactional-id -d 'Send the lines in a transaction that is committed at the end of the input, under this id' -r
complete -c kafka-console-producer -l commit-every -d 'Commit after so many records, and go on in the next transaction; with --transactional-id' -r
complete -c kafka-console-producer -l compression-codec -d 'Compress with none, gzip, snappy, lz4 or zstd; gzip where no name is given' -r
complete -c kafka-console-producer -l batch-size -d 'Bytes of a batch [16384]' -r
complete -c kafka-console-producer -l message-send-max-retries -d 'How often a failed request is repeated [3]' -r
complete -c kafka-console-producer -l retry-backoff-ms -d 'How long to wait before a request is repeated [100]' -r
complete -c kafka-console-producer -l timeout -d 'How long a batch may wait for more records [1000]' -r
complete -c kafka-console-producer -l request-required-acks -d 'Who must have a record before it counts as sent: 0, 1, -1 or all [-1]' -r
complete -c kafka-console-producer -l request-timeout-ms -d 'How long a request may take [1500]' -r
complete -c kafka-console-producer -l metadata-expiry-ms -d 'After how long metadata is asked for again [300000]' -r
complete -c kafka-console-producer -l max-block-ms -d 'How long sending may wait for metadata or memory [60000]' -r
complete -c kafka-console-producer -l max-memory-bytes -d 'Memory for records that are not sent yet [33554432]' -r
complete -c kafka-console-producer -l max-partition-memory-bytes -d 'Old name of --batch-size' -r
complete -c kafka-console-producer -l socket-buffer-size -d 'Size of the socket\'s send buffer [102400]' -r
complete -c kafka-console-producer -l line-reader -d 'The reader of lines; only the reference\'s own, org.apache.kafka.tools.LineMessageReader, is built in' -r
complete -c kafka-console-producer -l reader-property -d 'A property of the line reader, KEY=VALUE: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, null.marker, ignore.error' -r
complete -c kafka-console-producer -l property -d 'Old name of --reader-property' -r
complete -c kafka-console-producer -l reader-config -d 'A file with properties of the line reader' -r
complete -c kafka-console-producer -l command-property -d 'A property of the producer, KEY=VALUE' -r
complete -c kafka-console-producer -l producer-property -d 'Old name of --command-property' -r
complete -c kafka-console-producer -l command-config -d 'A file with properties of the producer' -r
complete -c kafka-console-producer -l producer.config -d 'Old name of --command-config' -r
complete -c kafka-console-producer -l sync -d 'Wait for the acknowledgement of each record before the next line is read'
complete -c kafka-console-producer -l help -d 'Print usage information'
complete -c kafka-console-producer -l version -d 'Print the version of Kafka whose tool this stands in for'
