complete -c kafka-broker-api-versions -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-broker-api-versions -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-broker-api-versions -l help -d 'Print usage information'
complete -c kafka-broker-api-versions -l version -d 'Print the version of Kafka whose tool this stands in for'
