complete -c ottla-pipe -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT [localhost:9092]' -r
complete -c ottla-pipe -l from -d 'A topic to read; may be repeated, and hold several names with commas between them' -r
complete -c ottla-pipe -l to -d 'The topic that results go to; with --format json an answer may name another' -r
complete -c ottla-pipe -l group -d 'The group that reads: several pipes of a group share the partitions' -r
complete -c ottla-pipe -l transactional-id -d 'The id of this process\'s transactions, which no other may have at the same time; a new one each time unless given' -r
complete -c ottla-pipe -l dead-letter -d 'Where records go that the filter keeps failing at, with the reason in their headers; without it the pipe ends there' -r
complete -c ottla-pipe -l retries -d 'How often a record that fails is tried again [3]' -r
complete -c ottla-pipe -l workers -d 'Filters at a time, each with partitions of its own [1]' -r
complete -c ottla-pipe -l format -d 'How records are told and answered: lines, length or json [lines]' -r
complete -c ottla-pipe -l deadline -d 'How long the filter may take for an answer, such as 500ms or 2m [30s]' -r
complete -c ottla-pipe -l batch-records -d 'Records of a batch, about; there is one transaction for each [500]' -r
complete -c ottla-pipe -l batch-time -d 'How long a batch may wait for more records [100ms]' -r
complete -c ottla-pipe -l timeout -d 'End when no record has come for so long, once the group has given its partitions out' -r
complete -c ottla-pipe -l consumer-property -d 'A property of the consumer, KEY=VALUE' -r
complete -c ottla-pipe -l producer-property -d 'A property of the producer, KEY=VALUE' -r
complete -c ottla-pipe -l command-config -d 'A file with properties of both' -r
complete -c ottla-pipe -l exactly-once -d 'Commit results and offsets in one transaction; without it a crash may bring results twice'
complete -c ottla-pipe -l per-batch -d 'Run the filter anew for each batch, and end its input behind it: for filters that answer only then'
complete -c ottla-pipe -l help -d 'Print usage information'
complete -c ottla-pipe -l version -d 'Print the version of Kafka whose tool this stands in for'
