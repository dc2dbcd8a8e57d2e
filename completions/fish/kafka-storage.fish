# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kafka_storage_global_optspecs
    string join \n h/help
end

function __fish_kafka_storage_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kafka_storage_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kafka_storage_using_subcommand
    set -l cmd (__fish_kafka_storage_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -s h -l help -d 'Print help'
complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -f -a "info" -d 'Show what the log directories of a configuration are'
complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -f -a "format" -d 'Make the log directories of a configuration'
complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -f -a "random-uuid" -d 'Make up an id for a cluster'
complete -c kafka-storage -n "__fish_kafka_storage_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand info" -s c -l config -d 'The broker\'s configuration' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand info" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand info" -s h -l help -d 'Print help'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s c -l config -d 'The broker\'s configuration' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s t -l cluster-id -d 'The id of the cluster that the directories shall belong to' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s S -l add-scram -d 'A SCRAM credential to begin with: not supported' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s r -l release-version -d 'The release whose levels of features the cluster begins with; the newest if it is left out' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s f -l feature -d 'Another level for a feature, as transaction.version=1; may be repeated' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s I -l initial-controllers -d 'The nodes of the quorum: not supported' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s g -l ignore-formatted -d 'Leave directories alone that are formatted already'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s s -l standalone -d 'A quorum of this node alone, which it is in any case'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s N -l no-initial-controllers -d 'The node is told of the quorum later; here it is one in any case'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand format" -s h -l help -d 'Print help'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand version-mapping" -s r -l release-version -d 'A release as 4.0 or 4.0-IV3; the newest if it is left out' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand version-mapping" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand version-mapping" -s h -l help -d 'Print help'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand feature-dependencies" -s f -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand feature-dependencies" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand feature-dependencies" -s h -l help -d 'Print help'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand random-uuid" -s h -l help -d 'Print help'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand help; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "info" -d 'Show what the log directories of a configuration are'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand help; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "format" -d 'Make the log directories of a configuration'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand help; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand help; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand help; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "random-uuid" -d 'Make up an id for a cluster'
complete -c kafka-storage -n "__fish_kafka_storage_using_subcommand help; and not __fish_seen_subcommand_from info format version-mapping feature-dependencies random-uuid help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
