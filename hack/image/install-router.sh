#!/bin/sh
# Turns a minimal Debian 12 into the file system of the router image. Runs as root inside of it: in the Dockerfile, and in the
# directory that router-rootfs.sh makes where there is no container engine.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  nginx libnginx-mod-http-ndk libnginx-mod-http-lua lua-resty-core lua-resty-lrucache lua-cjson lua-nginx-string \
  openssl ca-certificates

# The Redis client is one Lua file, but its package depends on nginx-extras: some twenty modules, with parsers and libraries
# that nobody uses and that would run in the process that sees prompts.
work=$(mktemp -d)
(cd "$work" && chmod 755 . && apt-get download -qq -o APT::Sandbox::User=root lua-nginx-redis && dpkg-deb -x lua-nginx-redis_*.deb files)
install -D -m 644 "$work/files/usr/share/lua/5.1/nginx/redis.lua" /usr/share/lua/5.1/nginx/redis.lua

# nginx.conf names every directory and log that it uses: these are never used, and the router's user could not write to them.
rm -rf "$work" /var/lib/apt/lists/* /var/cache/apt/* /etc/nginx/sites-enabled /etc/nginx/conf.d /etc/nginx/modules-enabled \
  /var/log/nginx /var/lib/nginx
mkdir -p /etc/vllm-router /var/lib/vllm-router
chown 65532:65532 /var/lib/vllm-router
