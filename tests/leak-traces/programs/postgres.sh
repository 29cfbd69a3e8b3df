#!/bin/sh
# A PostgreSQL server in the folder $1, as the user postgres, whose cache is empty at first; queries come at $2 a second.
set -eu
folder=$1 rate=$2 bin=$(pg_config --bindir)
run() { setpriv --reuid postgres --regid postgres --clear-groups env HOME="$folder" "$@"; }
mkdir -p "$folder" && chown postgres "$folder" && cd "$folder"
run "$bin/initdb" -D data -A trust >/dev/null
run "$bin/pg_ctl" -D data -w -o "-k $folder -h '' -c shared_buffers=256MB -c fsync=off" start >/dev/null
run "$bin/createdb" -h "$folder" bench
run pgbench -h "$folder" -i -s 20 -q bench >/dev/null 2>&1
run "$bin/pg_ctl" -D data -w -o "-k $folder -h '' -c shared_buffers=256MB -c fsync=off" restart >/dev/null
run pgbench -h "$folder" -S -n -c 6 -j 1 -R "$rate" -T 100000 bench >/dev/null 2>&1
