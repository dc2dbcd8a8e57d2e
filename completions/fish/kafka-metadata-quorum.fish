# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kafka_metadata_quorum_global_optspecs
    string join \n bootstrap-server= bootstrap-controller= command-config= h/help
end

function __fish_kafka_metadata_quorum_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kafka_metadata_quorum_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kafka_metadata_quorum_using_subcommand
    set -l cmd (__fish_kafka_metadata_quorum_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -l command-config -d 'A file of client properties to connect with; for add-controller, the controller\'s own' -r
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -s h -l help -d 'Print help'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -f -a "describe" -d 'Show the quorum'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -f -a "add-controller" -d 'Add the controller whose properties --command-config names'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -f -a "remove-controller" -d 'Remove a controller'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand describe" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand describe" -l status -d 'In short'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand describe" -l replication -d 'Each node that has the metadata log, and how far it is'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand describe" -l human-readable -d 'Times as how long ago they were'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand describe" -s h -l help -d 'Print help'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand add-controller" -l dry-run -d 'Show what would be done, and do nothing'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand add-controller" -s h -l help -d 'Print help'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand remove-controller" -s i -l controller-id -d 'The controller' -r
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand remove-controller" -s d -l controller-directory-id -d 'The id of the directory that has its metadata log' -r
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand remove-controller" -l dry-run -d 'Show what would be done, and do nothing'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand remove-controller" -s h -l help -d 'Print help'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand help; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "describe" -d 'Show the quorum'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand help; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "add-controller" -d 'Add the controller whose properties --command-config names'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand help; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "remove-controller" -d 'Remove a controller'
complete -c kafka-metadata-quorum -n "__fish_kafka_metadata_quorum_using_subcommand help; and not __fish_seen_subcommand_from describe add-controller remove-controller help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
