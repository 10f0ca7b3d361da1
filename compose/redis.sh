#!/bin/sh
# One of two Redis servers: redis.sh OWN-ADDRESS OTHER-ADDRESS. Begins as the copy of whoever the sentinels say is the
# master; where nobody knows yet, the one whose address comes first is.
own=$1 other=$2
set -- --protected-mode no --appendonly yes --save "" --maxmemory 192mb --maxmemory-policy noeviction
for sentinel in sentinel-1 sentinel-2 sentinel-3; do
  master=$(timeout 2 redis-cli -h "$sentinel" -p 26379 sentinel get-master-addr-by-name fleet 2>/dev/null | head -n 1)
  [ -n "$master" ] && break
done
first=$(printf '%s\n%s\n' "$own" "$other" | sort | head -n 1)
[ "${master:-$first}" = "$own" ] || set -- "$@" --replicaof "$other" 6379
exec redis-server "$@"
