# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kafka_features_global_optspecs
    string join \n bootstrap-server= bootstrap-controller= command-config= h/help
end

function __fish_kafka_features_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kafka_features_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kafka_features_using_subcommand
    set -l cmd (__fish_kafka_features_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kafka-features -n "__fish_kafka_features_needs_command" -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-features -n "__fish_kafka_features_needs_command" -l bootstrap-controller -d 'The controllers to connect to instead, as HOST:PORT,HOST:PORT' -r
complete -c kafka-features -n "__fish_kafka_features_needs_command" -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-features -n "__fish_kafka_features_needs_command" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "describe" -d 'Show the features that are supported, and their levels'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "upgrade" -d 'Raise the levels of features'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "downgrade" -d 'Lower the levels of features'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "disable" -d 'Lower features to level 0'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c kafka-features -n "__fish_kafka_features_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand describe" -l node-id -d 'Ask this node, not any' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand describe" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand describe" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand upgrade" -l metadata -d 'A metadata.version as 4.0-IV3 (deprecated)' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand upgrade" -l release-version -d 'All features, as this release brings them' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand upgrade" -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand upgrade" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand upgrade" -l dry-run -d 'Ask whether it could be done, and do nothing'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand upgrade" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -l metadata -d 'A metadata.version as 4.0-IV3 (deprecated)' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -l release-version -d 'All features, as this release brings them' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -l unsafe -d 'Also where that destroys metadata for good'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -l dry-run -d 'Ask whether it could be done, and do nothing'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand downgrade" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand disable" -l feature -d 'A feature; may be repeated' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand disable" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand disable" -l unsafe -d 'Also where that destroys metadata for good'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand disable" -l dry-run -d 'Ask whether it could be done, and do nothing'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand disable" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand version-mapping" -l release-version -d 'A release as 4.0 or 4.0-IV3; the newest if it is left out' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand version-mapping" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand version-mapping" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand feature-dependencies" -l feature -d 'A feature and its level, as transaction.version=2; may be repeated' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand feature-dependencies" -l output -d 'How the result looks: table, wide, json, yaml, csv or tsv' -r
complete -c kafka-features -n "__fish_kafka_features_using_subcommand feature-dependencies" -s h -l help -d 'Print help'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "describe" -d 'Show the features that are supported, and their levels'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "upgrade" -d 'Raise the levels of features'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "downgrade" -d 'Lower the levels of features'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "disable" -d 'Lower features to level 0'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "version-mapping" -d 'Show the level of each feature that a release brings'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "feature-dependencies" -d 'Show what levels of features need of other features'
complete -c kafka-features -n "__fish_kafka_features_using_subcommand help; and not __fish_seen_subcommand_from describe upgrade downgrade disable version-mapping feature-dependencies help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
