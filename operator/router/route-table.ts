/** The route table: all that a router knows. Compiled by the operator, sent whole or as what has changed, applied atomically. */
import type { z } from 'zod';
import type { routeTable } from './protocol.ts';

export type RouteTable = z.infer<typeof routeTable>;
/** One InferenceModel as the routers see it. */
export type RouteModel = RouteTable['models'][number];
/** One engine pod. */
export type RouteEndpoint = RouteModel['endpoints'][number];
/** Rules of the response cache for one model. */
export type RouteCache = RouteModel['cache'];
/** Rules of admission for one model. */
export type RouteAdmission = RouteModel['admission'];
/** Where the response cache lives. Only ever sent over the admin channel, because it carries a password. */
export type RouteRedis = NonNullable<RouteTable['redis']>;
/** An API key by its SHA-256 (lower-case hex). */
export type RouteKey = RouteTable['keys'][number];
/** Which web pages may read answers. */
export type RouteCors = NonNullable<RouteTable['cors']>;
