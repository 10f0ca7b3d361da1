#!/bin/sh
# Brings the index up to date and publishes a finished copy: publish.sh DOCUMENTS PUBLISHED
# Works in ./.ha_rag, beginning with what was published last. PUBLISHED/current is moved in one step, and the copy before
# it stays, for whoever is fetching it. Only one may publish at a time (the CronJob sees to that).
set -eu
documents=$1 published=$2

[ ! -e "$published/current" ] || { mkdir -p .ha_rag && cp -R "$published/current/." .ha_rag; }
# A document that cannot be read is no reason to withhold the others: the job fails, so that somebody looks, but publishes.
status=0
python -m workers.index "$documents" || status=$?
[ -e .ha_rag/index.sqlite3 ] || exit "$status"
# All of it into the one file: whoever fetches it may only read, and could not take in a journal beside it.
python -c 'import sqlite3; it = sqlite3.connect(".ha_rag/index.sqlite3"); it.execute("PRAGMA wal_checkpoint(TRUNCATE)"); it.close()'

next=index-$(date -u +%Y%m%dT%H%M%SZ)-$$
before=$(readlink "$published/current" || true)
rm -rf "$published/.unfinished" "$published/.current"
cp -R .ha_rag "$published/.unfinished"
sync
mv "$published/.unfinished" "$published/$next"
ln -s "$next" "$published/.current"
mv -T "$published/.current" "$published/current"

for old in "$published"/index-*; do
  case ${old##*/} in "$next" | "$before") ;; *) rm -rf "$old" ;; esac
done
echo "published $next"
exit "$status"
