#!/bin/sh
# Breaks one thing after another, each for CHAOS_FOR_S seconds, every CHAOS_EVERY_S seconds, over and over.
set -u
rest=$((CHAOS_EVERY_S > CHAOS_FOR_S ? CHAOS_EVERY_S : CHAOS_FOR_S + 1))

redis_stands_still() {
  echo "redis: answers nothing for $CHAOS_FOR_S s"
  python -c '
import os, redis
redis.Redis(host="redis", socket_timeout=2).client_pause(1000 * int(os.environ["CHAOS_FOR_S"]))
'
}

broken() { ha-rag break "$@" --for "$CHAOS_FOR_S"; }

while :; do
  sleep "$rest"; broken embedder.primary
  sleep "$rest"; broken generator.primary --mode slow --delay 5
  sleep "$rest"; broken generator.primary --mode throttle --retry-after 10
  sleep "$rest"; broken embedder.primary --mode hang; broken generator.primary --mode reset
  sleep "$rest"; broken generator.primary --rate 0.2
  sleep "$rest"; redis_stands_still
done
