# Two images: `docker build --target operator …` and `docker build --target router …`. Needs BuildKit or buildah.
# Base images are named by digest, so that a build is repeatable; Renovate keeps them new. Others by --build-arg DEBIAN=….
ARG NODE=node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d
ARG DEBIAN=debian:12-slim@sha256:7c7b2c966bc9ee8cedfeef67e0e279108992c77681fa595db4a9d65c06ccc587
ARG DISTROLESS=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

FROM ${NODE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No script of a package has to run for the build: esbuild's binary comes as a package of its own.
RUN npm ci --ignore-scripts --no-fund --no-audit
COPY hack/build.ts hack/build.ts
COPY operator operator
RUN node hack/build.ts

# The routers of a pool: Debian's own nginx and Lua packages. hack/image/router-rootfs.sh makes the same file system without a
# container engine, and test/integration/build runs the router in it.
# Configuration and Lua modules come in a ConfigMap, so nothing listens until start.sh is mounted.
FROM ${DEBIAN} AS router
LABEL org.opencontainers.image.title="vllm-operator router" \
      org.opencontainers.image.description="Router of a pool of vllm-operator: nginx with Lua" \
      org.opencontainers.image.source="https://github.com/vllm-operator/vllm-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN --mount=type=bind,source=hack/image/install-router.sh,target=/install-router.sh sh /install-router.sh
# As in operator/render/router-deployment.ts.
USER 65532:65532
WORKDIR /var/lib/vllm-router
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
CMD ["/bin/sh", "/etc/vllm-router/start.sh"]

# The operator: Node and one file. No shell, no package manager; nothing is written to disk.
FROM ${DISTROLESS} AS operator
LABEL org.opencontainers.image.title="vllm-operator" \
      org.opencontainers.image.description="Kubernetes operator that serves language models with vLLM" \
      org.opencontainers.image.source="https://github.com/vllm-operator/vllm-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY package.json LICENSE /app/
COPY --from=build /src/dist /app/dist
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 8080 6443
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/vllm-operator.mjs"]
CMD ["run"]
