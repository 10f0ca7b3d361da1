#!/bin/sh
# Updates the index and publishes a finished copy: publish.sh DOCUMENTS PUBLISHED
# Works in ./.ha_rag, starting from the last published copy. PUBLISHED/current is switched atomically, and the previous copy
# is kept for replicas that are still copying it. Only one job may publish at a time (the CronJob ensures that).
set -eu
documents=$1 published=$2

[ ! -e "$published/current" ] || { mkdir -p .ha_rag && cp -R "$published/current/." .ha_rag; }
# If a document cannot be read, publish the others anyway, and fail the job so that somebody notices.
status=0
python -m workers.index "$documents" || status=$?
[ -e .ha_rag/index.sqlite3 ] || exit "$status"
# Checkpoint everything into the database file: readers have no write access and could not apply a journal.
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
