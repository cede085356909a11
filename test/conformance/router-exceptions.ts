/** Requests that the router may answer otherwise than the engine, and why. */
export const ROUTER_EXCEPTIONS: Readonly<Record<string, string>> = {};
