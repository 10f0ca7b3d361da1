#!/bin/sh
# Brings the published index to a replica: fetch.sh PUBLISHED TO
# The replica answers from a copy of its own, so that no storage behind the network can hold up a question.
set -eu
published=$1 to=$2

if [ ! -e "$published/current" ]; then
  echo "no index has been published yet; make one: kubectl -n ha-rag create job --from=cronjob/index first-index" >&2
  exit 1
fi
# The link may move on while its copy is made: what it names now is fetched whole.
index=$(readlink "$published/current")
mkdir -p "$to"
cp -R "$published/$index/." "$to"
echo "fetched $index"
