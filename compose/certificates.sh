#!/bin/sh
# Creates a CA and the certificates it signs: certificates.sh FOLDER. Existing files are kept.
set -eu
umask 077
cd "$1"

signed() { # signed NAME HOSTS
  [ -f "$1.crt" ] && return
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  printf 'subjectAltName=%s' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA authority.crt -CAkey authority.key -days 825 -out "$1.crt" -extfile "$1.ext" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

[ -f authority.crt ] ||
  openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.crt -days 3650 \
    -subj "/CN=ha_rag's own authority" 2>/dev/null
signed redis DNS:redis,DNS:localhost
signed gateway DNS:localhost,DNS:gateway,IP:127.0.0.1
[ -f gateway.pem ] || cat gateway.crt gateway.key >gateway.pem
# Redis and the gateway run as users of their own; only root can read the CA's key.
chmod 0444 authority.crt redis.crt redis.key gateway.crt gateway.pem
chmod 0755 .
echo "certificates: $(ls | tr '\n' ' ')"
