# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ottla_log_global_optspecs
    string join \n h/help
end

function __fish_ottla_log_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ottla_log_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ottla_log_using_subcommand
    set -l cmd (__fish_ottla_log_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ottla-log -n "__fish_ottla_log_needs_command" -s h -l help -d 'Print help'
complete -c ottla-log -n "__fish_ottla_log_needs_command" -f -a "verify" -d 'Check every checksum, offset, epoch and index, without writing anything'
complete -c ottla-log -n "__fish_ottla_log_needs_command" -f -a "repair" -d 'Mend what is damaged, and keep aside what has to be taken out'
complete -c ottla-log -n "__fish_ottla_log_using_subcommand verify" -l output -d 'How the report looks: table, wide, json, yaml, csv or tsv' -r
complete -c ottla-log -n "__fish_ottla_log_using_subcommand verify" -l threads -d 'Partitions that are looked at side by side; as many as there are processors by default' -r
complete -c ottla-log -n "__fish_ottla_log_using_subcommand verify" -l deep -d 'Inflate batches and read their records, too: finds what a writer did wrong, costs processor time'
complete -c ottla-log -n "__fish_ottla_log_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ottla-log -n "__fish_ottla_log_using_subcommand repair" -l aside -d 'Where to keep what is taken out; ottla-repair-<time> beside the log directory by default' -r -F
complete -c ottla-log -n "__fish_ottla_log_using_subcommand repair" -l threads -d 'Partitions that are looked at side by side; as many as there are processors by default' -r
complete -c ottla-log -n "__fish_ottla_log_using_subcommand repair" -l dry-run -d 'Show what would be done'
complete -c ottla-log -n "__fish_ottla_log_using_subcommand repair" -l execute -d 'Do it'
complete -c ottla-log -n "__fish_ottla_log_using_subcommand repair" -l deep -d 'Take batches out, too, whose records cannot be read although their checksum is right'
complete -c ottla-log -n "__fish_ottla_log_using_subcommand repair" -s h -l help -d 'Print help (see more with \'--help\')'
