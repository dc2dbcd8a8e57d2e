complete -c kafka-server-start -l config -d 'Configuration: server.properties, or the same keys as YAML (.yaml, .yml)' -r -F
complete -c kafka-server-start -l data-dir -d 'Where the data lies (log.dirs)' -r
complete -c kafka-server-start -l listen -d 'Where to listen (listeners); port 0 takes a free one' -r
complete -c kafka-server-start -l override -d 'Configuration that counts more than the file\'s; may be repeated' -r
complete -c kafka-server-start -l ready-file -d 'Write the bound address here once the broker answers' -r -F
complete -c kafka-server-start -l log-format -d 'How log lines on standard error look' -r -f -a "text\t''
json\t''"
complete -c kafka-server-start -l log-level -d 'What is logged: error, warn, info, debug, trace, or per module; also OTTLA_LOG' -r
complete -c kafka-server-start -l version -d 'Print the version and end'
complete -c kafka-server-start -l ephemeral -d 'Keep everything in a temporary directory that is removed at the end'
complete -c kafka-server-start -s h -l help -d 'Print help'
