#!/bin/bash
# A shell that remembers every line it has read. Usage: shell.sh KIB_LOST_A_SECOND
lines=() lost=0
printf -v line '%1000s' x
while :; do
    for ((n = 0; n < $1; n++)); do lines+=("$line"); done
    lost=$((lost + $1 * 1024))
    echo "memory $lost"
    sleep 1
done
