/**
 * The route table, which contains everything that a router knows. The operator compiles it and sends the whole table or a
 * change; routers apply it atomically.
 */
import type { z } from 'zod';
import type { routeTable } from './protocol.ts';

export type RouteTable = z.infer<typeof routeTable>;
/** One InferenceModel, as routers see it. */
export type RouteModel = RouteTable['models'][number];
/** One engine pod. */
export type RouteEndpoint = RouteModel['endpoints'][number];
/** Response cache rules of one model. */
export type RouteCache = RouteModel['cache'];
/** Admission rules of one model. */
export type RouteAdmission = RouteModel['admission'];
/** Address and credentials of the response cache. Only sent over the admin channel, because it contains a password. */
export type RouteRedis = NonNullable<RouteTable['redis']>;
/** An API key by its SHA-256 (lower-case hex). */
export type RouteKey = RouteTable['keys'][number];
/** Which web pages may read responses. */
export type RouteCors = NonNullable<RouteTable['cors']>;
/** Where spans go, and how many. */
export type RouteTracing = NonNullable<RouteTable['tracing']>;
