/** Ports of a router for clients, for the operator, and for kubelet and Prometheus. Generated into nginx/protocol.lua. */
export const ROUTER_PORTS = { http: 8080, admin: 8081, metrics: 8082 } as const;
