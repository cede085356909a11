# Two images: `docker build --target operator …` and `docker build --target router …`.

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No script of a package has to run for the build: esbuild's binary comes as a package of its own.
RUN npm install --no-save --ignore-scripts --no-fund --no-audit
COPY hack/build.ts hack/build.ts
COPY operator operator
RUN node hack/build.ts

# The routers of a pool: Debian's own nginx and Lua packages, which are what the tests run (hack/bootstrap.mjs installs them).
# Configuration and Lua modules come in a ConfigMap, so nothing listens until start.sh is mounted.
FROM debian:12-slim AS router
LABEL org.opencontainers.image.title="vllm-operator router" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      nginx-light libnginx-mod-http-ndk libnginx-mod-http-lua \
      lua-resty-core lua-resty-lrucache lua-cjson lua-nginx-string lua-nginx-redis \
      openssl ca-certificates \
 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/* /etc/nginx/conf.d/* \
 # Never used, and the router's user could not write to it.
 && rm -rf /var/log/nginx /var/lib/nginx \
 && mkdir -p /etc/vllm-router /var/lib/vllm-router \
 && chown 65532:65532 /var/lib/vllm-router
# As in operator/render/router-deployment.ts.
USER 65532:65532
WORKDIR /var/lib/vllm-router
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
CMD ["/bin/sh", "/etc/vllm-router/start.sh"]

# The operator: Node and one file. No shell, no package manager; nothing is written to disk.
FROM gcr.io/distroless/cc-debian12:nonroot AS operator
LABEL org.opencontainers.image.title="vllm-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY package.json LICENSE /app/
COPY --from=build /src/dist /app/dist
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 8080 6443
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/vllm-operator.mjs"]
CMD ["run"]
