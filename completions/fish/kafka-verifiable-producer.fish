complete -c kafka-verifiable-producer -l topic -d 'The topic to send to' -r
complete -c kafka-verifiable-producer -l max-messages -d 'End after so many records; -1: go on until it is ended' -r
complete -c kafka-verifiable-producer -l throughput -d 'So many records a second at most; below 0: no limit' -r
complete -c kafka-verifiable-producer -l acks -d 'Who must have a record before it counts as sent: 0, 1, or -1 for all' -r
complete -c kafka-verifiable-producer -l producer.config -d 'Old name of --command-config' -r
complete -c kafka-verifiable-producer -l message-create-time -d 'The time of the first record, in milliseconds since 1970, from which the others go on; -1: now' -r
complete -c kafka-verifiable-producer -l value-prefix -d 'A number that goes before each value, with a dot' -r
complete -c kafka-verifiable-producer -l repeating-keys -d 'Keys from 0 up to this number, and then again' -r
complete -c kafka-verifiable-producer -l command-config -d 'A file with properties of the producer, which win over options' -r
complete -c kafka-verifiable-producer -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-verifiable-producer -s h -l help -d 'Print help'
