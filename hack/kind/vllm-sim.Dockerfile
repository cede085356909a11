# The simulated vLLM, bundled by up.sh, with the entry point and the user of vLLM's own image.
FROM node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d
COPY vllm-sim.mjs /opt/vllm-sim.mjs
USER 2000:0
ENTRYPOINT ["node", "/opt/vllm-sim.mjs", "serve"]
