#!/bin/sh
# One of three sentinels over the servers that begin at the address: sentinel.sh ADDRESS.
cat >/run/sentinel.conf <<CONFIGURATION
protected-mode no
dir /run
sentinel monitor fleet $1 6379 2
sentinel down-after-milliseconds fleet 2000
sentinel failover-timeout fleet 10000
sentinel parallel-syncs fleet 1
CONFIGURATION
exec redis-server /run/sentinel.conf --sentinel
