#!/bin/sh
# A PostgreSQL server in the folder $1, as the user postgres, with one session that prepares $2 new statements a second. The
# session says what its memory contexts hold.
set -eu
folder=$1 rate=$2 bin=$(pg_config --bindir)
run() { setpriv --reuid postgres --regid postgres --clear-groups env HOME="$folder" "$@"; }
mkdir -p "$folder" && chown postgres "$folder" && cd "$folder"
run "$bin/initdb" -D data -A trust >/dev/null
run "$bin/pg_ctl" -D data -w -o "-k $folder -h '' -c fsync=off" start >/dev/null
number=0
while :; do
    for _ in $(seq "$rate"); do
        number=$((number + 1))
        echo "PREPARE s$number AS SELECT relname, $number FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = \$1;"
        echo "EXECUTE s$number('nobody$number');"
    done
    echo "SELECT 'memory ' || sum(total_bytes) FROM pg_backend_memory_contexts;"
    sleep 1
done | run psql -h "$folder" -qAt postgres
