#!/bin/sh
# Starts the router. Stays as its parent, because a pod is stopped with TERM and nginx drains on QUIT.
#   VLLM_ROUTER_PREFIX   writable directory (default /var/lib/vllm-router)
#   VLLM_ROUTER_ADDRESS  address to listen on (default: all, IPv4 and IPv6)
set -eu
umask 077
conf=$(cd "$(dirname "$0")" && pwd)
prefix=${VLLM_ROUTER_PREFIX:-/var/lib/vllm-router}
cd "$prefix"

# listen <port> <options…>: the directives for one port
listen() {
  port=$1
  shift
  if [ -n "${VLLM_ROUTER_ADDRESS:-}" ]; then
    echo "listen $VLLM_ROUTER_ADDRESS:$port $*;"
  else
    echo "listen $port $*;"
    if [ -s /proc/net/if_inet6 ]; then echo "listen [::]:$port $*;"; fi
  fi
}
listen 8080 reuseport backlog=4096 > client-listen.conf
listen 8081 ssl > admin-listen.conf
listen 8082 > metrics-listen.conf

nginx=$(command -v nginx || command -v openresty)
if [ -d /etc/nginx/modules-enabled ]; then
  # Debian's module list has paths relative to the prefix.
  ln -sfn "$("$nginx" -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')" modules
fi

# Standard output may be something that cannot be opened by name, such as a socket.
if ! (: >> /dev/stdout) 2> /dev/null; then
  echo "start.sh: no access log, because /dev/stdout cannot be opened" >&2
  access_log=/dev/null
fi
span=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
sed -e "s#/etc/vllm-router/#$conf/#g" -e "s#__SPAN__#$span#" -e "s#/dev/stdout#${access_log:-/dev/stdout}#" "$conf/nginx.conf" > nginx.conf

# The key lives as long as the pod: the operator knows the router by it.
if [ ! -s admin.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=${POD_NAME:-vllm-router}" -keyout admin.key -out admin.crt 2> openssl.log || { cat openssl.log >&2; exit 1; }
fi
rm -f relay.sock nginx.pid

set -- -e stderr -c "$prefix/nginx.conf" -p "$prefix/"
# Workers write into the prefix, so they run as whoever owns it.
if [ "$(id -u)" = 0 ]; then set -- "$@" -g "user root root;"; fi
"$nginx" "$@" &
pid=$!
trap 'kill -QUIT $pid 2> /dev/null' TERM INT QUIT
trap 'kill -HUP $pid 2> /dev/null' HUP
status=0
while kill -0 $pid 2> /dev/null; do
  wait $pid && status=0 || status=$?
done
exit $status
