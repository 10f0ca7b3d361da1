#!/bin/sh
# One of two Redis servers: redis.sh OWN-ADDRESS OTHER-ADDRESS. Starts as a replica of the master that the
# sentinels name; if they do not know one yet, the server with the lower address becomes the master.
own=$1 other=$2
set -- --protected-mode no --appendonly yes --save "" --maxmemory 192mb --maxmemory-policy noeviction
for sentinel in sentinel-1 sentinel-2 sentinel-3; do
  master=$(timeout 2 redis-cli -h "$sentinel" -p 26379 sentinel get-master-addr-by-name fleet 2>/dev/null | head -n 1)
  [ -n "$master" ] && break
done
first=$(printf '%s\n%s\n' "$own" "$other" | sort | head -n 1)
[ "${master:-$first}" = "$own" ] || set -- "$@" --replicaof "$other" 6379
exec redis-server "$@"
