#!/bin/sh
# One of three sentinels. They know the servers by name, and wait until the name of the first master is there.
until getent hosts redis >/dev/null; do sleep 0.2; done
cat >/run/sentinel.conf <<CONFIGURATION
protected-mode no
dir /run
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $(hostname)
sentinel monitor fleet redis 6379 2
sentinel down-after-milliseconds fleet 2000
sentinel failover-timeout fleet 10000
sentinel parallel-syncs fleet 1
CONFIGURATION
exec redis-server /run/sentinel.conf --sentinel
