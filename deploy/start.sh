#!/bin/sh
# Make what is secret and where data is kept, once, and start everything: ./start.sh [options of docker compose up]
set -eu
cd "$(dirname "$0")"

if [ "$(id -u)" -eq 0 ]; then
    run_as=65532:65532 # nothing runs as root
else
    run_as="$(id -u):$(id -g)"
fi

umask 077
mkdir -p secrets prometheus/secrets alertmanager/secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
[ -s secrets/bridge_token ] || random > secrets/bridge_token
[ -s secrets/grafana_password ] || random > secrets/grafana_password
cp secrets/bridge_token prometheus/secrets/bridge_token # a file is not mounted into a folder that is mounted read-only
[ -s alertmanager/secrets/notification_url ] || printf 'http://notifications:8080/' > alertmanager/secrets/notification_url
for server in agent gateway bridge jaeger prometheus alertmanager grafana; do
    mkdir -p "data/$server"
done
[ "$(id -u)" -ne 0 ] || chown -R "$run_as" secrets prometheus/secrets alertmanager/secrets data
printf 'RUN_AS=%s\n' "$run_as" > .env

[ "${1:-}" != --prepare ] || exit 0
if ! docker compose version > /dev/null 2>&1; then
    echo "start.sh: docker compose does not answer. Install Docker with its plugin compose, 2.24 or later." >&2
    exit 1
fi
exec docker compose up --detach --build "$@"
