#!/bin/sh
# Copies the published index to a replica: fetch.sh PUBLISHED TO
# The replica answers from its own copy, so that network storage cannot delay a question.
set -eu
published=$1 to=$2

if [ ! -e "$published/current" ]; then
  echo "no index has been published yet; make one: kubectl -n ha-rag create job --from=cronjob/index first-index" >&2
  exit 1
fi
# The link may change during the copy, so resolve it once.
index=$(readlink "$published/current")
mkdir -p "$to"
cp -R "$published/$index/." "$to"
echo "fetched $index"
