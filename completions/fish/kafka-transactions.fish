# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kafka_transactions_global_optspecs
    string join \n bootstrap-server= command-config= v/version h/help
end

function __fish_kafka_transactions_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kafka_transactions_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kafka_transactions_using_subcommand
    set -l cmd (__fish_kafka_transactions_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -s v -l version -d 'Print the version of Kafka whose tool this stands in for'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "list" -d 'List transactional ids and the states of their transactions'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "describe" -d 'Show one transactional id: its producer, and its transaction with the partitions that are in it'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "describe-producers" -d 'Show the producers that a partition remembers, and where their open transactions begin'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "abort" -d 'Abort a hanging transaction in one partition, past its coordinator'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "find-hanging" -d 'Find transactions that are open in partitions and that no coordinator will end'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "forceTerminateTransaction" -d 'Abort the transaction of a transactional id, whose producer is fenced'
complete -c kafka-transactions -n "__fish_kafka_transactions_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand list" -l duration-filter -d 'Only transactions that have been going on for longer than so many milliseconds; below 0: all' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand list" -l transactional-id-pattern -d 'Only ids that this regular expression matches as a whole; the broker reads it' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand list" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand list" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe" -l transactional-id -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe-producers" -l broker-id -d 'Ask this broker\'s replica, not the leader' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe-producers" -l topic -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe-producers" -l partition -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe-producers" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand describe-producers" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -l topic -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -l partition -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -l start-offset -d 'Where the transaction begins; brokers before 3.0 need the other three instead' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -l producer-id -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -l producer-epoch -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -l coordinator-epoch -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand abort" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand find-hanging" -l broker-id -d 'Search what this broker has' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand find-hanging" -l max-transaction-timeout -d 'Leave out transactions that are younger than so many minutes' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand find-hanging" -l topic -d 'Search this topic' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand find-hanging" -l partition -d 'Search only this partition of the topic' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand find-hanging" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand find-hanging" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand forceTerminateTransaction" -l transactionalId -r
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand forceTerminateTransaction" -s h -l help -d 'Print help'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "list" -d 'List transactional ids and the states of their transactions'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "describe" -d 'Show one transactional id: its producer, and its transaction with the partitions that are in it'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "describe-producers" -d 'Show the producers that a partition remembers, and where their open transactions begin'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "abort" -d 'Abort a hanging transaction in one partition, past its coordinator'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "find-hanging" -d 'Find transactions that are open in partitions and that no coordinator will end'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "forceTerminateTransaction" -d 'Abort the transaction of a transactional id, whose producer is fenced'
complete -c kafka-transactions -n "__fish_kafka_transactions_using_subcommand help; and not __fish_seen_subcommand_from list describe describe-producers abort find-hanging forceTerminateTransaction help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
