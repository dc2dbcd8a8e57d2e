complete -c kafka-delete-records -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-delete-records -l offset-json-file -d 'The offsets: {"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}; offset -1 is the high watermark' -r
complete -c kafka-delete-records -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-delete-records -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-delete-records -l help -d 'Print usage information'
complete -c kafka-delete-records -l version -d 'Print the version of Kafka whose tool this stands in for'
