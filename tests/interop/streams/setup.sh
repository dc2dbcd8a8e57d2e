#!/usr/bin/env bash
# Resolves Kafka Streams and Kafka Connect into ${KAFKA_STREAMS_HOME:-$HOME/.cache/ottla-peers/streams}/libs with Maven, in the
# version pinned in pom.xml; does nothing if it is already there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${KAFKA_STREAMS_HOME:-$HOME/.cache/ottla-peers/streams}
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
if [ "$(cat "$home/version" 2>/dev/null)" = "$version" ]; then
  echo "kafka streams $version is already in $home/libs"
  exit
fi
rm -rf "$home/libs"; mkdir -p "$home/libs"
mvn -q -B -f "$here/pom.xml" package -Dout="$home/libs"
echo "$version" > "$home/version"
echo "kafka streams $version installed in $home/libs"
