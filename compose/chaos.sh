#!/bin/sh
# Breaks one thing after another, each for CHAOS_FOR_S seconds, one every CHAOS_EVERY_S seconds, in an endless loop.
set -u
pause=$((CHAOS_EVERY_S > CHAOS_FOR_S ? CHAOS_EVERY_S : CHAOS_FOR_S + 1))

pause_redis() {
  echo "redis: does not respond for $CHAOS_FOR_S s"
  python -c '
import os, redis
redis.Redis(host="redis", socket_timeout=2).client_pause(1000 * int(os.environ["CHAOS_FOR_S"]))
'
}

break_service() { ha-rag break "$@" --for "$CHAOS_FOR_S"; }

while :; do
  sleep "$pause"; break_service embedder.primary
  sleep "$pause"; break_service generator.primary --mode slow --delay 5
  sleep "$pause"; break_service generator.primary --mode throttle --retry-after 10
  sleep "$pause"; break_service embedder.primary --mode hang; break_service generator.primary --mode reset
  sleep "$pause"; break_service generator.primary --rate 0.2
  sleep "$pause"; pause_redis
done
