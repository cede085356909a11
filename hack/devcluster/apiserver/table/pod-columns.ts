import type { ApiObject } from '../api-object.ts';
import { isObject, type JsonObject, numberAt, objectAt, objectsAt, stringAt } from '../json.ts';
import { humanDuration, orNone } from './cells.ts';
import { AGE_COLUMN, type Column, column } from './column.ts';

/** Columns of pods around their age: readiness, status as kubectl prints it, restarts. */
export function podColumns(): Column[] {
  const orNoneAt =
    (...path: string[]): Column['cell'] =>
    (object) =>
      orNone(stringAt(object, ...path));
  return [
    column('Ready', readyText),
    column('Status', podStatus),
    column('Restarts', restarts),
    AGE_COLUMN,
    column('IP', orNoneAt('status', 'podIP'), { wide: true }),
    column('Node', orNoneAt('spec', 'nodeName'), { wide: true }),
    column('Nominated Node', orNoneAt('status', 'nominatedNodeName'), { wide: true }),
    column('Readiness Gates', () => '<none>', { wide: true }),
  ];
}

function statuses(object: ApiObject): JsonObject[] {
  return objectsAt(object, 'status', 'containerStatuses');
}

function readyText(object: ApiObject): string {
  const ready = statuses(object).filter(
    (each) => each.ready === true && isObject(objectAt(each, 'state').running),
  ).length;
  return `${ready}/${objectsAt(object, 'spec', 'containers').length}`;
}

function restarts(object: ApiObject, now: Date): string {
  const all = statuses(object);
  const total = all.reduce((sum, each) => sum + (numberAt(each, 'restartCount') ?? 0), 0);
  const times = all
    .map((each) => stringAt(each, 'lastState', 'terminated', 'finishedAt'))
    .filter((time) => time !== '');
  const last = times.sort().at(-1);
  return total > 0 && last !== undefined
    ? `${total} (${humanDuration(now.getTime() - Date.parse(last))} ago)`
    : String(total);
}

/** The state of a pod as printed by kubectl (printPod of pkg/printers). */
export function podStatus(object: ApiObject): string {
  const reason = stringAt(object, 'status', 'reason');
  let state = reason || stringAt(object, 'status', 'phase') || 'Unknown';
  for (const status of statuses(object)) {
    const waiting = stringAt(status, 'state', 'waiting', 'reason');
    const terminated = objectAt(status, 'state', 'terminated');
    if (waiting !== '') state = waiting;
    else if (Object.keys(terminated).length > 0) {
      state =
        stringAt(terminated, 'reason') ||
        (numberAt(terminated, 'signal')
          ? `Signal:${numberAt(terminated, 'signal')}`
          : `ExitCode:${numberAt(terminated, 'exitCode') ?? 0}`);
    }
  }
  if (object.metadata.deletionTimestamp) return reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  return state;
}
