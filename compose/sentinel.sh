#!/bin/sh
# One of three sentinels that monitor the master first started at ADDRESS: sentinel.sh ADDRESS.
cat >/tmp/sentinel.conf <<CONFIGURATION
protected-mode no
dir /tmp
sentinel monitor fleet $1 6379 2
sentinel down-after-milliseconds fleet 2000
sentinel failover-timeout fleet 10000
sentinel parallel-syncs fleet 1
CONFIGURATION
exec redis-server /tmp/sentinel.conf --sentinel
