/** All dashboards, in the order of the documentation. */
import type { Dashboard } from '../dashboard.ts';
import { engine } from './engine.ts';
import { operations } from './operations.ts';
import { operator } from './operator.ts';
import { scaling } from './scaling.ts';
import { teams } from './teams.ts';

export const DASHBOARDS: readonly Dashboard[] = [operations, engine, teams, scaling, operator];
