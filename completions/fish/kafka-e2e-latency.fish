complete -c kafka-e2e-latency -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-e2e-latency -l topic -d 'The topic to send to and to read; made with one partition where there is none' -r
complete -c kafka-e2e-latency -l num-records -d 'So many records go, one after the other' -r
complete -c kafka-e2e-latency -l producer-acks -d 'Who must have a record before it counts as sent: 1 or all' -r
complete -c kafka-e2e-latency -l record-size -d 'Size of each record\'s value in bytes' -r
complete -c kafka-e2e-latency -l record-key-size -d 'Size of each record\'s key in bytes; 0: no key [0]' -r
complete -c kafka-e2e-latency -l record-header-key-size -d 'Size of each header\'s key in bytes [0]' -r
complete -c kafka-e2e-latency -l record-header-size -d 'Size of each header\'s value in bytes; -1: no value [0]' -r
complete -c kafka-e2e-latency -l num-headers -d 'Headers of each record [0]' -r
complete -c kafka-e2e-latency -l command-config -d 'A file with properties for producer and consumer' -r
complete -c kafka-e2e-latency -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-e2e-latency -l help -d 'Print usage information'
complete -c kafka-e2e-latency -l version -d 'Print the version of Kafka whose tool this stands in for'
