#!/bin/sh
# Starts the router. Stays as its parent, because a pod is stopped with TERM, and nginx is to go on until it is done (drain.lua).
#   VLLM_ROUTER_PREFIX   writable directory (default /var/lib/vllm-router)
#   VLLM_ROUTER_ADDRESS  address to listen on (default: all, IPv4 and IPv6)
#   VLLM_ROUTER_LEAVE_SECONDS  how long it serves as before when it is told to stop (default 10)
#   VLLM_ROUTER_SNAPSHOT, VLLM_ROUTER_REDIS, VLLM_ROUTER_TLS  directories with routes.json, with url, with tls.crt and tls.key
#                        (default /etc/vllm-router-snapshot, -redis, -tls; each may be absent)
set -eu
umask 077
conf=$(cd "$(dirname "$0")" && pwd)
prefix=${VLLM_ROUTER_PREFIX:-/var/lib/vllm-router}
cd "$prefix"

# listen <name> <options…>: the directives for one port, whose number protocol.lua has
listen() {
  port=$(sed -n "s/^  $1_port = \([0-9]*\),$/\1/p" "$conf/protocol.lua")
  shift
  if [ -n "${VLLM_ROUTER_ADDRESS:-}" ]; then
    echo "listen $VLLM_ROUTER_ADDRESS:$port $*;"
  else
    echo "listen $port $*;"
    if grep -q . /proc/net/if_inet6 2> /dev/null; then echo "listen [::]:$port $*;"; fi
  fi
}
ln -sfn "${VLLM_ROUTER_SNAPSHOT:-/etc/vllm-router-snapshot}" snapshot
ln -sfn "${VLLM_ROUTER_REDIS:-/etc/vllm-router-redis}" redis
ln -sfn "${VLLM_ROUTER_TLS:-/etc/vllm-router-tls}" tls

# Takes certificate and key, if they belong together, into one file, and notes until when they are valid. certificate.lua serves a
# renewed one without a reload, which would close connections just when clients use them.
take_certificate() {
  public=$(openssl x509 -noout -pubkey -in tls/tls.crt 2> openssl.log) \
    && [ "$public" = "$(openssl pkey -pubout -in tls/tls.key 2>> openssl.log)" ] \
    && openssl x509 -noout -enddate -in tls/tls.crt > tls.enddate.new \
    && { cat tls/tls.crt; echo; cat tls/tls.key; } > tls.pem.new \
    && mv tls.pem.new tls.pem && mv tls.enddate.new tls.enddate && return
  echo "start.sh: tls.crt and tls.key are not a certificate with its key; correct the Secret of spec.router.tls" >&2
  return 1
}
rm -f tls.enddate
if [ -s tls/tls.crt ]; then
  take_certificate
  {
    listen http ssl http2 reuseport backlog=4096
    echo "ssl_certificate tls.pem;"
    echo "ssl_certificate_key tls.pem;"
    echo 'ssl_certificate_by_lua_block { require("certificate").serve() }'
    echo "ssl_protocols TLSv1.2 TLSv1.3;"
    echo "ssl_session_cache shared:clients:10m;"
  } > client-listen.conf
  unused=
else
  listen http reuseport backlog=4096 > client-listen.conf
  unused='/limit_conn streams /d' # of HTTP/2, which comes with TLS only
fi
listen admin ssl > admin-listen.conf
listen metrics > metrics-listen.conf

nginx=$(command -v nginx || command -v openresty)
# Debian's older packages have security faults that nginx's version number does not show; other builds count by that number.
found=$("$nginx" -v 2>&1 | sed -n 's#.*/\([0-9][0-9.]*\).*#\1#p' | cut -d. -f1-3)
minimum=1.22.1
if package=$(dpkg-query -W -f '${Version}' nginx 2> /dev/null) && [ "${package#1.22.1-}" != "$package" ]; then
  found=$package
  minimum=1.22.1-9+deb12u11
fi
if [ "$(printf '%s\n' "$minimum" "$found" | sort -V | head -n 1)" != "$minimum" ]; then
  echo "start.sh: nginx $found is older than $minimum, which the router needs at least; build the router image anew," \
    "or name a newer one in spec.router.image of the InferencePool" >&2
  exit 1
fi
# Only the modules that are used, wherever the build has them as files (OpenResty has them built in).
modules=$("$nginx" -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
for module in ndk_http_module ngx_http_lua_module; do
  if [ -e "$modules/$module.so" ]; then echo "load_module $modules/$module.so;"; fi
done > modules.conf

# Standard output may be something that cannot be opened by name, such as a socket.
if ! (: >> /dev/stdout) 2> /dev/null; then
  echo "start.sh: no access log, because /dev/stdout cannot be opened" >&2
  access_log=/dev/null
fi
sed -e "$unused" -e "s#/etc/vllm-router/#$conf/#g" -e "s#/dev/stdout#${access_log:-/dev/stdout}#" "$conf/nginx.conf" > nginx.conf

# The key lives as long as the pod: the operator knows the router by it.
if [ ! -s admin.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=${POD_NAME:-vllm-router}" -keyout admin.key -out admin.crt 2> openssl.log || { cat openssl.log >&2; exit 1; }
fi
rm -f relay.sock nginx.pid draining

# Where Redis or its certificate is named, not numbered.
nameservers=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf 2> /dev/null | tr '\n' ' ')
{
  if [ -n "$nameservers" ]; then echo "resolver $nameservers valid=10s;"; fi
  # Only where they are used: nginx reads all of them for each location, which takes half a second and 20 MB.
  if [ -e redis/url ]; then
    for bundle in redis/ca.crt /etc/ssl/certs/ca-certificates.crt; do
      if [ -s "$bundle" ]; then echo "lua_ssl_trusted_certificate $bundle; lua_ssl_verify_depth 4;"; break; fi
    done
  fi
} > redis.conf

# Else glibc gives the memory of each large body back to the kernel, only to fault it in again for the next one.
export MALLOC_TRIM_THRESHOLD_=33554432 MALLOC_TOP_PAD_=1048576 MALLOC_MMAP_THRESHOLD_=4194304

set -- -e stderr -c "$prefix/nginx.conf" -p "$prefix/"
# Workers write into the prefix, so they run as whoever owns it.
if [ "$(id -u)" = 0 ]; then set -- "$@" -g "user root root;"; fi
# nginx adds the request line of a client to every error, with all that its query holds.
rm -f errors.fifo
mkfifo errors.fifo
sed -u 's/, request: .*//' < errors.fifo >&2 &
"$nginx" "$@" 2> errors.fifo &
pid=$!
trap 'echo "${VLLM_ROUTER_LEAVE_SECONDS:-10}" > draining' TERM
trap 'kill -QUIT $pid 2> /dev/null' INT QUIT
trap 'kill -HUP $pid 2> /dev/null' HUP

if [ -s tls/tls.crt ]; then
  (
    known=$(cksum tls/tls.crt tls/tls.key)
    while sleep "${VLLM_ROUTER_TLS_INTERVAL:-10}" && kill -0 $pid 2> /dev/null; do
      now=$(cksum tls/tls.crt tls/tls.key) || continue
      if [ "$now" != "$known" ]; then
        known=$now
        take_certificate || true # the one before goes on
      fi
    done
  ) &
fi
status=0
while kill -0 $pid 2> /dev/null; do
  wait $pid && status=0 || status=$?
done
exit $status
