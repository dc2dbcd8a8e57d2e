complete -c kafka-consumer-groups -l bootstrap-server -d 'The brokers to connect to, as HOST:PORT,HOST:PORT' -r
complete -c kafka-consumer-groups -l command-config -d 'A file of client properties to connect with' -r
complete -c kafka-consumer-groups -l timeout -d 'How long each question to the cluster may take; 30000 by default. With --wait-lag, how long to wait in all, as milliseconds or with a unit: 60s, 5m' -r
complete -c kafka-consumer-groups -l wait-lag -d 'Wait until no partition of the groups lags by more than so many records, then show the offsets; the exit status is 3 where that takes longer than --timeout' -r
complete -c kafka-consumer-groups -l validate-regex -d 'Say whether a text is a regular expression as brokers understand it' -r
complete -c kafka-consumer-groups -l group -d 'The group to act on; may be repeated' -r
complete -c kafka-consumer-groups -l topic -d 'The topic to reset or delete offsets of, or to wait for, or some of its partitions; may be repeated' -r
complete -c kafka-consumer-groups -l state -d 'List: show the state, or only groups in these states; describe: show the state of the group' -r
complete -c kafka-consumer-groups -l type -d 'List: show the type, or only groups of these types (classic, consumer)' -r
complete -c kafka-consumer-groups -l watch -d 'Describe: show offsets again and again, every 2 seconds or as said (5s), with rates and the time to catch up, until Ctrl-C' -r
complete -c kafka-consumer-groups -l output -d 'How the result looks: table, which is the reference\'s, wide, json, yaml, csv or tsv [table]' -r
complete -c kafka-consumer-groups -l to-offset -d 'To this offset, or the nearest that the log has' -r
complete -c kafka-consumer-groups -l shift-by -d 'So many offsets forward, or back where it is negative' -r
complete -c kafka-consumer-groups -l by-duration -d 'To the first record of the last P1DT2H3M4S' -r
complete -c kafka-consumer-groups -l to-datetime -d 'To the first record from 2030-12-31T23:59:59.999 on; UTC where no zone (+01:00) follows' -r
complete -c kafka-consumer-groups -l from-file -d 'To what the rows of a file say: topic,partition,offset, and the group first where there are several' -r
complete -c kafka-consumer-groups -l undo -d 'Back to what the offsets were before a reset, as the file says that it left' -r
complete -c kafka-consumer-groups -l undo-dir -d 'Where --execute leaves its file for --undo [$XDG_STATE_HOME/ottla/undo, else ~/.local/state/ottla/undo]' -r
complete -c kafka-consumer-groups -l list -d 'List the groups'
complete -c kafka-consumer-groups -l describe -d 'Show offsets, members or the state of groups'
complete -c kafka-consumer-groups -l delete -d 'Delete groups without members, with their offsets'
complete -c kafka-consumer-groups -l reset-offsets -d 'Move the offsets of groups without members; only shows what would happen without --execute'
complete -c kafka-consumer-groups -l delete-offsets -d 'Delete the offsets that a group has for topics'
complete -c kafka-consumer-groups -l all-groups -d 'Act on every group'
complete -c kafka-consumer-groups -l all-topics -d 'Reset the offsets of every topic that the group has offsets for'
complete -c kafka-consumer-groups -l members -d 'Describe: show the members'
complete -c kafka-consumer-groups -l offsets -d 'Describe: show the offsets; that is the default'
complete -c kafka-consumer-groups -l verbose -d 'Describe: show more columns'
complete -c kafka-consumer-groups -l time-lag -d 'Describe: show how long ago the first record was written that a partition\'s lag begins with'
complete -c kafka-consumer-groups -l to-earliest -d 'To the first offset of the log'
complete -c kafka-consumer-groups -l to-latest -d 'To the end of the log'
complete -c kafka-consumer-groups -l to-current -d 'To the committed offset, or to the end where there is none'
complete -c kafka-consumer-groups -l explain -d 'Show what a reset means: records replayed or skipped, when they were written, whether retention takes them first, and who is in the way'
complete -c kafka-consumer-groups -l dry-run -d 'Only show what would happen'
complete -c kafka-consumer-groups -l execute -d 'Do it, and leave a file for --undo'
complete -c kafka-consumer-groups -l export -d 'Show the new offsets as rows for --from-file'
complete -c kafka-consumer-groups -l help -d 'Print usage information'
complete -c kafka-consumer-groups -l version -d 'Print the version of Kafka whose tool this stands in for'
