# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ottla_global_optspecs
    string join \n h/help
end

function __fish_ottla_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ottla_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ottla_using_subcommand
    set -l cmd (__fish_ottla_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ottla -n "__fish_ottla_needs_command" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "server" -d 'Run a broker. Without any option: one node, durable, on 127.0.0.1:9092, data in ./ottla-data.'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "run" -d 'Run a command with a broker of its own, which is gone afterwards'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "dump-log" -d 'Show what is in log segments, indexes and snapshots'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "log" -d 'Check and repair the logs of a stopped broker'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "storage" -d 'Show what log directories are, and format them'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "topics" -d 'Create, list, describe, alter and delete topics'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "configs" -d 'Show and change the configuration of topics, brokers, groups and others'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "console-producer" -d 'Send lines of standard input to a topic'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "console-consumer" -d 'Show records of topics'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "consumer-groups" -d 'List and describe consumer groups, reset and delete their offsets'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "groups" -d 'List groups of all types'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "get-offsets" -d 'Show the first, last or another offset of partitions'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "delete-records" -d 'Delete the records before an offset of partitions'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "log-dirs" -d 'Show what the log directories of brokers hold'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "transactions" -d 'List, describe and end transactions'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "broker-api-versions" -d 'Show which requests and versions every broker speaks'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "cluster" -d 'Show the cluster\'s id and endpoints, unregister brokers'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "features" -d 'Describe, upgrade and downgrade the features of a cluster'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "metadata-quorum" -d 'Describe the quorum of the metadata log, add and remove controllers'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "producer-perf-test" -d 'Measure how fast a topic takes records, and how long each waits for its acknowledgement'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "consumer-perf-test" -d 'Measure how fast records of topics are read'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "e2e-latency" -d 'Measure how long a record takes from producer to consumer'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "verifiable-producer" -d 'Send numbers and tell of each as JSON, for tests'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "verifiable-consumer" -d 'Read with a group and tell of it as JSON, for tests'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "pipe" -d 'Run a filter between topics: records on its standard input, results from its standard output'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "install-links" -d 'Make links named kafka-*.sh to this binary in a directory'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "version" -d 'The version of this binary'
complete -c ottla -n "__fish_ottla_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand server" -l config -d 'Configuration: server.properties, or the same keys as YAML (.yaml, .yml)' -r -F
complete -c ottla -n "__fish_ottla_using_subcommand server" -l data-dir -d 'Where the data lies (log.dirs)' -r
complete -c ottla -n "__fish_ottla_using_subcommand server" -l listen -d 'Where to listen (listeners); port 0 takes a free one' -r
complete -c ottla -n "__fish_ottla_using_subcommand server" -l override -d 'Configuration that counts more than the file\'s; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand server" -l ready-file -d 'Write the bound address here once the broker answers' -r -F
complete -c ottla -n "__fish_ottla_using_subcommand server" -l log-format -d 'How log lines on standard error look' -r -f -a "text\t''
json\t''"
complete -c ottla -n "__fish_ottla_using_subcommand server" -l log-level -d 'What is logged: error, warn, info, debug, trace, or per module; also OTTLA_LOG' -r
complete -c ottla -n "__fish_ottla_using_subcommand server" -l version -d 'Print the version and end'
complete -c ottla -n "__fish_ottla_using_subcommand server" -l ephemeral -d 'Keep everything in a temporary directory that is removed at the end'
complete -c ottla -n "__fish_ottla_using_subcommand server" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand run" -l topic -d 'A topic to begin with, as NAME, NAME:PARTITIONS or NAME:PARTITIONS:KEY=VALUE,KEY=VALUE; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand run" -l override -d 'A configuration of the broker; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand run" -l env -d 'One more variable of the environment to put the broker\'s address into; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand run" -l listen -d 'Where the broker listens; port 0 takes a free one' -r
complete -c ottla -n "__fish_ottla_using_subcommand run" -l log -d 'Keep what the broker logs here; it is shown on standard error only where the broker fails' -r -F
complete -c ottla -n "__fish_ottla_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l files -d 'The files, separated by commas: .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint' -r
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l max-bytes -d 'Read so many bytes of a log at most' -r
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l max-message-size -d 'Size of the largest batch that an index may point at, 5242880 by default' -r
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l key-decoder-class -d 'How to show keys: StringDecoder, DefaultDecoder, IntegerDecoder or LongDecoder of org.apache.kafka.tools.api' -r
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l value-decoder-class -d 'How to show values, as with keys' -r
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l print-data-log -d 'Show keys and values too; implied by every decoder'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l deep-iteration -d 'Show every record; implied by --print-data-log'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l skip-record-metadata -d 'Show of records only keys and values; control records have neither'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l verify-index-only -d 'Compare an index with its log without showing the entries'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l index-sanity-check -d 'Look only at what decides at a start whether an index is built anew'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l offsets-decoder -d 'The log is one of __consumer_offsets'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l transaction-log-decoder -d 'The log is one of __transaction_state'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l share-group-state-decoder -d 'The log is one of __share_group_state'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l cluster-metadata-decoder -d 'The log or snapshot is one of __cluster_metadata'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l remote-log-metadata-decoder -d 'The log is one of __remote_log_metadata'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand dump-log" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand log; and not __fish_seen_subcommand_from verify repair" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand log; and not __fish_seen_subcommand_from verify repair" -f -a "verify" -d 'Check every checksum, offset, epoch and index, without writing anything'
complete -c ottla -n "__fish_ottla_using_subcommand log; and not __fish_seen_subcommand_from verify repair" -f -a "repair" -d 'Mend what is damaged, and keep aside what has to be taken out'
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from verify" -l output -d 'How the report looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from verify" -l threads -d 'Partitions that are looked at side by side; as many as there are processors by default' -r
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from verify" -l deep -d 'Inflate batches and read their records, too: finds what a writer did wrong, costs processor time'
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from repair" -l aside -d 'Where to keep what is taken out; ottla-repair-<time> beside the log directory by default' -r -F
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from repair" -l threads -d 'Partitions that are looked at side by side; as many as there are processors by default' -r
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from repair" -l dry-run -d 'Show what would be done'
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from repair" -l execute -d 'Do it'
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from repair" -l deep -d 'Take batches out, too, whose records cannot be read although their checksum is right'
complete -c ottla -n "__fish_ottla_using_subcommand log; and __fish_seen_subcommand_from repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "info" -d 'Show what the log directories of a configuration are'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "format" -d 'Make the log directories of a configuration'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "random-uuid" -d 'Make up an id for a cluster'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from info" -s c -l config -d 'The broker\'s configuration' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from info" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s c -l config -d 'The broker\'s configuration' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s t -l cluster-id -d 'The id of the cluster that the directories shall belong to' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s S -l add-scram -d 'A SCRAM credential to begin with: not supported' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s r -l release-version -d 'The release whose levels of features the cluster begins with; the newest if it is left out' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s f -l feature -d 'Another level for a feature, as transaction.version=1; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s I -l initial-controllers -d 'The nodes of the quorum: not supported' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s g -l ignore-formatted -d 'Leave directories alone that are formatted already'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s s -l standalone -d 'A quorum of this node alone, which it is in any case'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s N -l no-initial-controllers -d 'The node is told of the quorum later; here it is one in any case'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from format" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from version-mapping" -s r -l release-version -d 'A release as 4.0 or 4.0-IV3; the newest if it is left out' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from version-mapping" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from version-mapping" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from feature-dependencies" -s f -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from feature-dependencies" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from feature-dependencies" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from random-uuid" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from help" -f -a "info" -d 'Show what the log directories of a configuration are'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from help" -f -a "format" -d 'Make the log directories of a configuration'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from help" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from help" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from help" -f -a "random-uuid" -d 'Make up an id for a cluster'
complete -c ottla -n "__fish_ottla_using_subcommand storage; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l topic -d 'The name of the topic to create; for the other actions a list of regular expressions separated by commas, each of which matches whole names' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l topic-id -d 'The id of the one topic to describe' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l config -d 'A configuration of the new topic; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l delete-config -d 'No longer does anything' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l partitions -d 'How many partitions the topic shall have; a new topic has the broker\'s default otherwise. More partitions change which partition a key belongs to' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l replication-factor -d 'How many replicas each partition of the new topic shall have; the broker\'s default otherwise' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l replica-assignment -d 'The brokers of each partition: commas between partitions, colons between the replicas of one' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l partition-size-limit-per-response -d 'How many partitions the broker shall describe in one response' -r
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l list -d 'List the topics'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l create -d 'Create a topic'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l delete -d 'Delete topics'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l alter -d 'Give topics more partitions (kafka-configs changes their configuration)'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l describe -d 'Show partitions, leaders, replicas and configuration of topics'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l under-replicated-partitions -d 'Describe only partitions with fewer replicas in sync than they have'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l unavailable-partitions -d 'Describe only partitions without a leader that is alive'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l under-min-isr-partitions -d 'Describe only partitions with fewer replicas in sync than min.insync.replicas asks for'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l at-min-isr-partitions -d 'Describe only partitions with just as many replicas in sync as min.insync.replicas asks for'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l topics-with-overrides -d 'Describe only topics with configuration of their own, without their partitions'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l if-exists -d 'Alter, delete, describe: a topic that does not exist is no error'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l if-not-exists -d 'Create: a topic that exists already is no error'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l exclude-internal -d 'List, describe: leave the cluster\'s own topics out'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand topics" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l bootstrap-controller -d 'The controllers to connect to instead' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l add-config -d 'Alter: set these keys; square brackets keep a value with commas together' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l add-config-file -d 'Alter: set the keys of this properties file' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l delete-config -d 'Alter: remove these keys, so that their defaults hold again' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l entity-type -d 'What the configuration belongs to: topics, brokers, broker-loggers, groups, client-metrics, users, clients or ips' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l entity-name -d 'The name of the entity' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l topic -d 'Short for --entity-type topics --entity-name NAME' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l client -d 'Short for --entity-type clients --entity-name ID' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l user -d 'Short for --entity-type users --entity-name PRINCIPAL' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l broker -d 'Short for --entity-type brokers --entity-name ID' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l broker-logger -d 'Short for --entity-type broker-loggers --entity-name ID' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l ip -d 'Short for --entity-type ips --entity-name ADDRESS' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l client-metrics -d 'Short for --entity-type client-metrics --entity-name NAME' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l group -d 'Short for --entity-type groups --entity-name ID' -r
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l describe -d 'Show the configuration of the entity, or of all entities of the type'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l alter -d 'Change the configuration of the entity'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l all -d 'Describe: static and default values as well'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l force -d 'Accepted and without effect: this tool asks nothing'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l entity-default -d 'The default entity of the type: what holds where an entity has no configuration of its own'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l client-defaults -d 'Short for --entity-type clients --entity-default'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l user-defaults -d 'Short for --entity-type users --entity-default'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l broker-defaults -d 'Short for --entity-type brokers --entity-default'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l ip-defaults -d 'Short for --entity-type ips --entity-default'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand configs" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l topic -d 'The topic to send to' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l transactional-id -d 'Send the lines in a transaction that is committed at the end of the input, under this id' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l commit-every -d 'Commit after so many records, and go on in the next transaction; with --transactional-id' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l compression-codec -d 'Compress with none, gzip, snappy, lz4 or zstd; gzip where no name is given' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l batch-size -d 'Bytes of a batch [16384]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l message-send-max-retries -d 'How often a failed request is repeated [3]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l retry-backoff-ms -d 'How long to wait before a request is repeated [100]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l timeout -d 'How long a batch may wait for more records [1000]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l request-required-acks -d 'Who must have a record before it counts as sent: 0, 1, -1 or all [-1]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l request-timeout-ms -d 'How long a request may take [1500]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l metadata-expiry-ms -d 'After how long metadata is asked for again [300000]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l max-block-ms -d 'How long sending may wait for metadata or memory [60000]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l max-memory-bytes -d 'Memory for records that are not sent yet [33554432]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l max-partition-memory-bytes -d 'Old name of --batch-size' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l socket-buffer-size -d 'Size of the socket\'s send buffer [102400]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l line-reader -d 'The reader of lines; only the reference\'s own, org.apache.kafka.tools.LineMessageReader, is built in' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l reader-property -d 'A property of the line reader, KEY=VALUE: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, null.marker, ignore.error' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l property -d 'Old name of --reader-property' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l reader-config -d 'A file with properties of the line reader' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l command-property -d 'A property of the producer, KEY=VALUE' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l producer-property -d 'Old name of --command-property' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l command-config -d 'A file with properties of the producer' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l producer.config -d 'Old name of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l sync -d 'Wait for the acknowledgement of each record before the next line is read'
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand console-producer" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l topic -d 'The topic to read' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l include -d 'Read all topics whose whole name matches a regular expression' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l partition -d 'Read one partition, without being a member of a group' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l offset -d 'Where to begin in the partition: a number, earliest, or latest [latest]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l group -d 'The consumer group to be a member of [console-consumer-NUMBER, which commits nothing and is deleted at the end]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l max-messages -d 'End after so many records' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l timeout-ms -d 'End when no record has come for so long' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l isolation-level -d 'read_uncommitted or read_committed [read_uncommitted]' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l formatter -d 'How to show records: DefaultMessageFormatter, LoggingMessageFormatter, NoOpMessageFormatter, OffsetsMessageFormatter, GroupMetadataMessageFormatter, TransactionLogMessageFormatter, ShareGroupMessageFormatter or group.share.ShareGroupStateMessageFormatter, all of them in org.apache.kafka.tools.consumer' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l formatter-property -d 'A property of the formatter, KEY=VALUE: print.timestamp, print.partition, print.offset, print.delivery, print.epoch, print.headers, print.key, print.value (all true or false), key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l formatter-config -d 'A file with properties of the formatter' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l property -d 'Old name of --formatter-property' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l key-deserializer -d 'How to read keys: a class of org.apache.kafka.common.serialization, or string, short, integer, long, float, double, boolean, uuid, bytes, hex, base64; the bytes as they are where none is named' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l value-deserializer -d 'The same for values' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l command-property -d 'A property of the consumer, KEY=VALUE' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l command-config -d 'A file with properties of the consumer' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l consumer-property -d 'Old name of --command-property' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l consumer.config -d 'Old name of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l from-beginning -d 'Begin with the first record, where the group has no offset yet, instead of what comes next'
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l skip-message-on-error -d 'Go on behind a record that cannot be shown'
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l enable-systest-events -d 'Say on standard output when the tool is done'
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand console-consumer" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l timeout -d 'How long each question to the cluster may take; 30000 by default. With --wait-lag, how long to wait in all, as milliseconds or with a unit: 60s, 5m' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l wait-lag -d 'Wait until no partition of the groups lags by more than so many records, then show the offsets; the exit status is 3 where that takes longer than --timeout' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l validate-regex -d 'Say whether a text is a regular expression as brokers understand it' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l group -d 'The group to act on; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l topic -d 'The topic to reset or delete offsets of, or to wait for, or some of its partitions; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l state -d 'List: show the state, or only groups in these states; describe: show the state of the group' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l type -d 'List: show the type, or only groups of these types (classic, consumer)' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l watch -d 'Describe: show offsets again and again, every 2 seconds or as said (5s), with rates and the time to catch up, until Ctrl-C' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l to-offset -d 'To this offset, or the nearest that the log has' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l shift-by -d 'So many offsets forward, or back where it is negative' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l by-duration -d 'To the first record of the last P1DT2H3M4S' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l to-datetime -d 'To the first record from 2030-12-31T23:59:59.999 on; UTC where no zone (+01:00) follows' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l from-file -d 'To what the rows of a file say: topic,partition,offset, and the group first where there are several' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l undo -d 'Back to what the offsets were before a reset, as the file says that it left' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l undo-dir -d 'Where --execute leaves its file for --undo [$XDG_STATE_HOME/ottla/undo, else ~/.local/state/ottla/undo]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l list -d 'List the groups'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l describe -d 'Show offsets, members or the state of groups'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l delete -d 'Delete groups without members, with their offsets'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l reset-offsets -d 'Move the offsets of groups without members; only shows what would happen without --execute'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l delete-offsets -d 'Delete the offsets that a group has for topics'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l all-groups -d 'Act on every group'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l all-topics -d 'Reset the offsets of every topic that the group has offsets for'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l members -d 'Describe: show the members'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l offsets -d 'Describe: show the offsets; that is the default'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l verbose -d 'Describe: show more columns'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l time-lag -d 'Describe: show how long ago the first record was written that a partition\'s lag begins with'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l to-earliest -d 'To the first offset of the log'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l to-latest -d 'To the end of the log'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l to-current -d 'To the committed offset, or to the end where there is none'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l explain -d 'Show what a reset means: records replayed or skipped, when they were written, whether retention takes them first, and who is in the way'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l dry-run -d 'Only show what would happen'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l execute -d 'Do it, and leave a file for --undo'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l export -d 'Show the new offsets as rows for --from-file'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-groups" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l group-type -d 'Only groups of this type: classic, consumer, share or streams' -r
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l protocol -d 'Only groups whose members speak this protocol, as consumer or connect' -r
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l list -d 'List the groups'
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l consumer -d 'Only groups of consumers, of either protocol, and those that only have offsets'
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l share -d 'Only share groups'
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l streams -d 'Only streams groups'
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand groups" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l topic -d 'Regular expressions of topics, separated by commas, each of which matches whole names; all topics by default' -r
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l partitions -d 'Only these partitions, separated by commas' -r
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l topic-partitions -d 'Topics with their partitions, separated by commas: TOPIC, TOPIC:2, TOPIC:0-3 (3 is not in), TOPIC:2-, TOPIC:-3' -r
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l time -d 'Which offset: of the first record at or after a time (milliseconds since 1970), or -1/latest, -2/earliest, -3/max-timestamp, -4/earliest-local, -5/latest-tiered, -6/earliest-pending-upload; latest by default' -r
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l exclude-internal-topics -d 'Leave the cluster\'s own topics out'
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand get-offsets" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand delete-records" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand delete-records" -l offset-json-file -d 'The offsets: {"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}; offset -1 is the high watermark' -r
complete -c ottla -n "__fish_ottla_using_subcommand delete-records" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand delete-records" -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c ottla -n "__fish_ottla_using_subcommand delete-records" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand delete-records" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l topic-list -d 'Only these topics, as a,b' -r
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l broker-list -d 'Only these brokers, as 0,1,2' -r
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l describe -d 'Describe the log directories'
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand log-dirs" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -s v -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "list" -d 'List transactional ids and the states of their transactions'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "describe" -d 'Show one transactional id: its producer, and its transaction with the partitions that are in it'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "describe-producers" -d 'Show the producers that a partition remembers, and where their open transactions begin'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "abort" -d 'Abort a hanging transaction in one partition, past its coordinator'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "find-hanging" -d 'Find transactions that are open in partitions and that no coordinator will end'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "forceTerminateTransaction" -d 'Abort the transaction of a transactional id, whose producer is fenced'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from list" -l duration-filter -d 'Only transactions that have been going on for longer than so many milliseconds; below 0: all' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from list" -l transactional-id-pattern -d 'Only ids that this regular expression matches as a whole; the broker reads it' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from list" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe" -l transactional-id -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe-producers" -l broker-id -d 'Ask this broker\'s replica, not the leader' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe-producers" -l topic -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe-producers" -l partition -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe-producers" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from describe-producers" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -l topic -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -l partition -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -l start-offset -d 'Where the transaction begins; brokers before 3.0 need the other three instead' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -l producer-id -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -l producer-epoch -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -l coordinator-epoch -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from abort" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from find-hanging" -l broker-id -d 'Search what this broker has' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from find-hanging" -l max-transaction-timeout -d 'Leave out transactions that are younger than so many minutes' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from find-hanging" -l topic -d 'Search this topic' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from find-hanging" -l partition -d 'Search only this partition of the topic' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from find-hanging" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from find-hanging" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from forceTerminateTransaction" -l transactionalId -r
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from forceTerminateTransaction" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "list" -d 'List transactional ids and the states of their transactions'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "describe" -d 'Show one transactional id: its producer, and its transaction with the partitions that are in it'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "describe-producers" -d 'Show the producers that a partition remembers, and where their open transactions begin'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "abort" -d 'Abort a hanging transaction in one partition, past its coordinator'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "find-hanging" -d 'Find transactions that are open in partitions and that no coordinator will end'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "forceTerminateTransaction" -d 'Abort the transaction of a transactional id, whose producer is fenced'
complete -c ottla -n "__fish_ottla_using_subcommand transactions; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand broker-api-versions" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand broker-api-versions" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand broker-api-versions" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand broker-api-versions" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "cluster-id" -d 'Show the id of the cluster'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "unregister" -d 'Take a broker that is gone for good out of the cluster'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "list-endpoints" -d 'List the brokers and where they are reached'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from cluster-id" -s b -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from cluster-id" -s C -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from cluster-id" -s c -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from cluster-id" -l config -d 'The same (deprecated)' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from cluster-id" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from cluster-id" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from unregister" -s b -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from unregister" -s C -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from unregister" -s c -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from unregister" -l config -d 'The same (deprecated)' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from unregister" -s i -l id -d 'The broker' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from unregister" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -s b -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -s C -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -s c -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -l config -d 'The same (deprecated)' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -l include-fenced-brokers -d 'Also those that are shut out for now'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from list-endpoints" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "cluster-id" -d 'Show the id of the cluster'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "unregister" -d 'Take a broker that is gone for good out of the cluster'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "list-endpoints" -d 'List the brokers and where they are reached'
complete -c ottla -n "__fish_ottla_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -l command-config -d 'A file of client properties to connect with' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "describe" -d 'Show the features that are supported, and their levels'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "upgrade" -d 'Raise the levels of features'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "downgrade" -d 'Lower the levels of features'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "disable" -d 'Lower features to level 0'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c ottla -n "__fish_ottla_using_subcommand features; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from describe" -l node-id -d 'Ask this node, not any' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from describe" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from describe" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from upgrade" -l metadata -d 'A metadata.version as 4.0-IV3 (deprecated)' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from upgrade" -l release-version -d 'All features, as this release brings them' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from upgrade" -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from upgrade" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from upgrade" -l dry-run -d 'Ask whether it could be done, and do nothing'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from upgrade" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -l metadata -d 'A metadata.version as 4.0-IV3 (deprecated)' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -l release-version -d 'All features, as this release brings them' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -l unsafe -d 'Also where that destroys metadata for good'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -l dry-run -d 'Ask whether it could be done, and do nothing'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from downgrade" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from disable" -l feature -d 'A feature; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from disable" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from disable" -l unsafe -d 'Also where that destroys metadata for good'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from disable" -l dry-run -d 'Ask whether it could be done, and do nothing'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from disable" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from version-mapping" -l release-version -d 'A release as 4.0 or 4.0-IV3; the newest if it is left out' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from version-mapping" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from version-mapping" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from feature-dependencies" -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from feature-dependencies" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from feature-dependencies" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "describe" -d 'Show the features that are supported, and their levels'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "upgrade" -d 'Raise the levels of features'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "downgrade" -d 'Lower the levels of features'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "disable" -d 'Lower features to level 0'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c ottla -n "__fish_ottla_using_subcommand features; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -l command-config -d 'A file of client properties to connect with; for add-controller, the controller\'s own' -r
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "describe" -d 'Show the quorum'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "add-controller" -d 'Add the controller whose properties --command-config names'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "remove-controller" -d 'Remove a controller'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from describe" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from describe" -l status -d 'In short'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from describe" -l replication -d 'Each node that has the metadata log, and how far it is'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from describe" -l human-readable -d 'Times as how long ago they were'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from describe" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from add-controller" -l dry-run -d 'Show what would be done, and do nothing'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from add-controller" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from remove-controller" -s i -l controller-id -d 'The controller' -r
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from remove-controller" -s d -l controller-directory-id -d 'The id of the directory that has its metadata log' -r
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from remove-controller" -l dry-run -d 'Show what would be done, and do nothing'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from remove-controller" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from help" -f -a "describe" -d 'Show the quorum'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from help" -f -a "add-controller" -d 'Add the controller whose properties --command-config names'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from help" -f -a "remove-controller" -d 'Remove a controller'
complete -c ottla -n "__fish_ottla_using_subcommand metadata-quorum; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l topic -d 'The topic to send to' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l num-records -d 'So many records are sent' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l payload-delimiter -d 'A regular expression that stands between the payloads of --payload-file' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l throughput -d 'So many records a second at most, fractions too; -1 is no limit' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l producer-props -d 'Old name of --command-property' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l command-property -d 'Properties of the producer, each as KEY=VALUE; they win over those of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l producer.config -d 'Old name of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l command-config -d 'A file with properties of the producer' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l transactional-id -d 'Send the records in transactions, under this id' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l transaction-duration-ms -d 'Commit after so long, and go on in the next transaction [with a transactional id: 3000]; without an id one is made up' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l warmup-records -d 'So many records come before the steady state, which has a summary of its own' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l reporting-interval -d 'How often to tell how it goes, in milliseconds' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l record-size -d 'Size of each record\'s value in bytes, random letters' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l payload-file -d 'A file with values, of which each record gets one by chance' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l print-metrics -d 'Print what the producer has counted at the end'
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -l payload-monotonic -d 'Values are the numbers from 0 on'
complete -c ottla -n "__fish_ottla_using_subcommand producer-perf-test" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l topic -d 'The topic to read' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l include -d 'Read all topics whose whole name matches a regular expression' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l group -d 'The consumer group to be a member of [perf-consumer-NUMBER]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l fetch-size -d 'Bytes of one partition in a response [1048576]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l command-property -d 'A property of the consumer, KEY=VALUE' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l socket-buffer-size -d 'Size of the socket\'s receive buffer [2097152]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l consumer.config -d 'Old name of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l command-config -d 'A file with properties of the consumer' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l timeout -d 'End when no record has come for so long [10000]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l messages -d 'Old name of --num-records' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l num-records -d 'End after so many records' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l reporting-interval -d 'How often to tell how it goes, in milliseconds [5000]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l date-format -d 'How times look, as java.text.SimpleDateFormat has it [yyyy-MM-dd HH:mm:ss:SSS]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l from-latest -d 'Begin with what comes next, where the group has no offset yet, instead of the first record'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l print-metrics -d 'Print what the consumer has counted at the end'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l show-detailed-stats -d 'Tell how it goes at each reporting interval, instead of a summary'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l hide-header -d 'Leave out the line with the names of the columns'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand consumer-perf-test" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l topic -d 'The topic to send to and to read; made with one partition where there is none' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l num-records -d 'So many records go, one after the other' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l producer-acks -d 'Who must have a record before it counts as sent: 1 or all' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l record-size -d 'Size of each record\'s value in bytes' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l record-key-size -d 'Size of each record\'s key in bytes; 0: no key [0]' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l record-header-key-size -d 'Size of each header\'s key in bytes [0]' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l record-header-size -d 'Size of each header\'s value in bytes; -1: no value [0]' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l num-headers -d 'Headers of each record [0]' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l command-config -d 'A file with properties for producer and consumer' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand e2e-latency" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l topic -d 'The topic to send to' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l max-messages -d 'End after so many records; -1: go on until it is ended' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l throughput -d 'So many records a second at most; below 0: no limit' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l acks -d 'Who must have a record before it counts as sent: 0, 1, or -1 for all' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l producer.config -d 'Old name of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l message-create-time -d 'The time of the first record, in milliseconds since 1970, from which the others go on; -1: now' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l value-prefix -d 'A number that goes before each value, with a dot' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l repeating-keys -d 'Keys from 0 up to this number, and then again' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l command-config -d 'A file with properties of the producer, which win over options' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-producer" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l topic -d 'The topic to read' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l group-protocol -d 'The protocol of the group: classic or consumer' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l group-remote-assignor -d 'The assignor that the coordinator is to use, with --group-protocol consumer' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l group-id -d 'The consumer group to be a member of' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l group-instance-id -d 'The name of a static member' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l max-messages -d 'End after so many records; -1: go on until it is ended' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l session-timeout -d 'After how long without a heartbeat the member is given up, with --group-protocol classic' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l reset-policy -d 'Where to begin where nothing is committed: earliest, latest or none' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l assignment-strategy -d 'The assignor of the group, with --group-protocol classic' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l consumer.config -d 'Old name of --command-config' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l command-config -d 'A file with properties of the consumer; options win over them' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l verbose -d 'Tell of each record'
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -l enable-autocommit -d 'Have the consumer commit by itself, and tell of no commit'
complete -c ottla -n "__fish_ottla_using_subcommand verifiable-consumer" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT [localhost:9092]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l from -d 'A topic to read; may be repeated, and hold several names with commas between them' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l to -d 'The topic that results go to; with --format json an answer may name another' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l group -d 'The group that reads: several pipes of a group share the partitions' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l transactional-id -d 'The id of this process\'s transactions, which no other may have at the same time; a new one each time unless given' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l dead-letter -d 'Where records go that the filter keeps failing at, with the reason in their headers; without it the pipe ends there' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l retries -d 'How often a record that fails is tried again [3]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l workers -d 'Filters at a time, each with partitions of its own [1]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l format -d 'How records are told and answered: lines, length or json [lines]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l deadline -d 'How long the filter may take for an answer, such as 500ms or 2m [30s]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l batch-records -d 'Records of a batch, about; there is one transaction for each [500]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l batch-time -d 'How long a batch may wait for more records [100ms]' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l timeout -d 'End when no record has come for so long, once the group has given its partitions out' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l consumer-property -d 'A property of the consumer, KEY=VALUE' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l producer-property -d 'A property of the producer, KEY=VALUE' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l command-config -d 'A file with properties of both' -r
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l exactly-once -d 'Commit results and offsets in one transaction; without it a crash may bring results twice'
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l per-batch -d 'Run the filter anew for each batch, and end its input behind it: for filters that answer only then'
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l help -d 'Print usage information'
complete -c ottla -n "__fish_ottla_using_subcommand pipe" -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c ottla -n "__fish_ottla_using_subcommand install-links" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand version" -s h -l help -d 'Print help'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "server" -d 'Run a broker. Without any option: one node, durable, on 127.0.0.1:9092, data in ./ottla-data.'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "run" -d 'Run a command with a broker of its own, which is gone afterwards'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "dump-log" -d 'Show what is in log segments, indexes and snapshots'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "log" -d 'Check and repair the logs of a stopped broker'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "storage" -d 'Show what log directories are, and format them'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "topics" -d 'Create, list, describe, alter and delete topics'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "configs" -d 'Show and change the configuration of topics, brokers, groups and others'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "console-producer" -d 'Send lines of standard input to a topic'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "console-consumer" -d 'Show records of topics'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "consumer-groups" -d 'List and describe consumer groups, reset and delete their offsets'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "groups" -d 'List groups of all types'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "get-offsets" -d 'Show the first, last or another offset of partitions'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "delete-records" -d 'Delete the records before an offset of partitions'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "log-dirs" -d 'Show what the log directories of brokers hold'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "transactions" -d 'List, describe and end transactions'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "broker-api-versions" -d 'Show which requests and versions every broker speaks'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "cluster" -d 'Show the cluster\'s id and endpoints, unregister brokers'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "features" -d 'Describe, upgrade and downgrade the features of a cluster'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "metadata-quorum" -d 'Describe the quorum of the metadata log, add and remove controllers'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "producer-perf-test" -d 'Measure how fast a topic takes records, and how long each waits for its acknowledgement'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "consumer-perf-test" -d 'Measure how fast records of topics are read'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "e2e-latency" -d 'Measure how long a record takes from producer to consumer'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "verifiable-producer" -d 'Send numbers and tell of each as JSON, for tests'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "verifiable-consumer" -d 'Read with a group and tell of it as JSON, for tests'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "pipe" -d 'Run a filter between topics: records on its standard input, results from its standard output'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "install-links" -d 'Make links named kafka-*.sh to this binary in a directory'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "version" -d 'The version of this binary'
complete -c ottla -n "__fish_ottla_using_subcommand help; and not __fish_seen_subcommand_from server run dump-log log storage topics configs console-producer console-consumer consumer-groups groups get-offsets delete-records log-dirs transactions broker-api-versions cluster features metadata-quorum producer-perf-test consumer-perf-test e2e-latency verifiable-producer verifiable-consumer pipe install-links version help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "verify" -d 'Check every checksum, offset, epoch and index, without writing anything'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "repair" -d 'Mend what is damaged, and keep aside what has to be taken out'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from storage" -f -a "info" -d 'Show what the log directories of a configuration are'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from storage" -f -a "format" -d 'Make the log directories of a configuration'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from storage" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from storage" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from storage" -f -a "random-uuid" -d 'Make up an id for a cluster'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from transactions" -f -a "list" -d 'List transactional ids and the states of their transactions'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from transactions" -f -a "describe" -d 'Show one transactional id: its producer, and its transaction with the partitions that are in it'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from transactions" -f -a "describe-producers" -d 'Show the producers that a partition remembers, and where their open transactions begin'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from transactions" -f -a "abort" -d 'Abort a hanging transaction in one partition, past its coordinator'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from transactions" -f -a "find-hanging" -d 'Find transactions that are open in partitions and that no coordinator will end'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from transactions" -f -a "forceTerminateTransaction" -d 'Abort the transaction of a transactional id, whose producer is fenced'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "cluster-id" -d 'Show the id of the cluster'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "unregister" -d 'Take a broker that is gone for good out of the cluster'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "list-endpoints" -d 'List the brokers and where they are reached'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from features" -f -a "describe" -d 'Show the features that are supported, and their levels'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from features" -f -a "upgrade" -d 'Raise the levels of features'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from features" -f -a "downgrade" -d 'Lower the levels of features'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from features" -f -a "disable" -d 'Lower features to level 0'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from features" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from features" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from metadata-quorum" -f -a "describe" -d 'Show the quorum'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from metadata-quorum" -f -a "add-controller" -d 'Add the controller whose properties --command-config names'
complete -c ottla -n "__fish_ottla_using_subcommand help; and __fish_seen_subcommand_from metadata-quorum" -f -a "remove-controller" -d 'Remove a controller'
