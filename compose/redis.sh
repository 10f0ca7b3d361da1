#!/bin/sh
# One of two Redis servers: redis.sh OWN-NAME OTHER-NAME. Begins as the copy of whoever the sentinels say is the master;
# where nobody knows yet, the one called `redis` is.
own=$1 other=$2
set -- --protected-mode no --appendonly yes --save "" --maxmemory 192mb --maxmemory-policy noeviction \
  --replica-announce-ip "$own"
for sentinel in sentinel-1 sentinel-2 sentinel-3; do
  master=$(timeout 2 redis-cli -h "$sentinel" -p 26379 sentinel get-master-addr-by-name fleet 2>/dev/null | head -n 1)
  [ -n "$master" ] && break
done
case ${master:-redis} in
  "$own") ;;
  *) set -- "$@" --replicaof "$other" 6379 ;;
esac
exec redis-server "$@"
