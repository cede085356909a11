/** Ports of a router: clients, the operator, and kubelet and Prometheus. Routers read them from nginx/protocol.lua. */
export const ROUTER_PORTS = { http: 8080, admin: 8081, metrics: 8082 } as const;
