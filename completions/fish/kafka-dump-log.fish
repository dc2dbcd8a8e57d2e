complete -c kafka-dump-log -l files -d 'The files, separated by commas: .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint' -r
complete -c kafka-dump-log -l max-bytes -d 'Read so many bytes of a log at most' -r
complete -c kafka-dump-log -l max-message-size -d 'Size of the largest batch that an index may point at, 5242880 by default' -r
complete -c kafka-dump-log -l key-decoder-class -d 'How to show keys: StringDecoder, DefaultDecoder, IntegerDecoder or LongDecoder of org.apache.kafka.tools.api' -r
complete -c kafka-dump-log -l value-decoder-class -d 'How to show values, as with keys' -r
complete -c kafka-dump-log -l print-data-log -d 'Show keys and values too; implied by every decoder'
complete -c kafka-dump-log -l deep-iteration -d 'Show every record; implied by --print-data-log'
complete -c kafka-dump-log -l skip-record-metadata -d 'Show of records only keys and values; control records have neither'
complete -c kafka-dump-log -l verify-index-only -d 'Compare an index with its log without showing the entries'
complete -c kafka-dump-log -l index-sanity-check -d 'Look only at what decides at a start whether an index is built anew'
complete -c kafka-dump-log -l offsets-decoder -d 'The log is one of __consumer_offsets'
complete -c kafka-dump-log -l transaction-log-decoder -d 'The log is one of __transaction_state'
complete -c kafka-dump-log -l share-group-state-decoder -d 'The log is one of __share_group_state'
complete -c kafka-dump-log -l cluster-metadata-decoder -d 'The log or snapshot is one of __cluster_metadata'
complete -c kafka-dump-log -l remote-log-metadata-decoder -d 'The log is one of __remote_log_metadata'
complete -c kafka-dump-log -l help -d 'Print usage information'
complete -c kafka-dump-log -l version -d 'Print the version of Kafka whose tool this stands in for'
