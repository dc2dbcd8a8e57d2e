complete -c ottla-run -l topic -d 'A topic to begin with, as NAME, NAME:PARTITIONS or NAME:PARTITIONS:KEY=VALUE,KEY=VALUE; may be repeated' -r
complete -c ottla-run -l override -d 'A configuration of the broker; may be repeated' -r
complete -c ottla-run -l env -d 'One more variable of the environment to put the broker\'s address into; may be repeated' -r
complete -c ottla-run -l listen -d 'Where the broker listens; port 0 takes a free one' -r
complete -c ottla-run -l log -d 'Keep what the broker logs here; it is shown on standard error only where the broker fails' -r -F
complete -c ottla-run -s h -l help -d 'Print help (see more with \'--help\')'
