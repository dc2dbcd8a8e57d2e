# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kafka_cluster_global_optspecs
    string join \n h/help
end

function __fish_kafka_cluster_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kafka_cluster_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kafka_cluster_using_subcommand
    set -l cmd (__fish_kafka_cluster_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kafka-cluster -n "__fish_kafka_cluster_needs_command" -s h -l help -d 'Print help'
complete -c kafka-cluster -n "__fish_kafka_cluster_needs_command" -f -a "cluster-id" -d 'Show the id of the cluster'
complete -c kafka-cluster -n "__fish_kafka_cluster_needs_command" -f -a "unregister" -d 'Take a broker that is gone for good out of the cluster'
complete -c kafka-cluster -n "__fish_kafka_cluster_needs_command" -f -a "list-endpoints" -d 'List the brokers and where they are reached'
complete -c kafka-cluster -n "__fish_kafka_cluster_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand cluster-id" -s b -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand cluster-id" -s C -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand cluster-id" -s c -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand cluster-id" -l config -d 'The same (deprecated)' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand cluster-id" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand cluster-id" -s h -l help -d 'Print help'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand unregister" -s b -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand unregister" -s C -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand unregister" -s c -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand unregister" -l config -d 'The same (deprecated)' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand unregister" -s i -l id -d 'The broker' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand unregister" -s h -l help -d 'Print help'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -s b -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -s C -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -s c -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -l config -d 'The same (deprecated)' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -l include-fenced-brokers -d 'Also those that are shut out for now'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand list-endpoints" -s h -l help -d 'Print help'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand help; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "cluster-id" -d 'Show the id of the cluster'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand help; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "unregister" -d 'Take a broker that is gone for good out of the cluster'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand help; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "list-endpoints" -d 'List the brokers and where they are reached'
complete -c kafka-cluster -n "__fish_kafka_cluster_using_subcommand help; and not __fish_seen_subcommand_from cluster-id unregister list-endpoints help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
