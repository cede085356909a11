// Starts a process that starts another one, under a watchdog, prints their ids and waits to be killed.
import { openSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProcessGroup } from '../../../../hack/devcluster/node/process-group.ts';
import { Watchdog } from '../../../../hack/devcluster/node/watchdog.ts';

const directory = await mkdtemp(join(tmpdir(), 'orphans-'));
const watchdog = new Watchdog(directory);
const group = new ProcessGroup(
  {
    command: '/bin/sh',
    args: ['-c', "trap '' TERM HUP; sleep 1000 & wait; sleep 1000"],
    env: { PATH: process.env.PATH ?? '' },
    cwd: directory,
  },
  openSync(join(directory, 'log'), 'a'),
  watchdog,
);
console.log(JSON.stringify({ directory, pids: [watchdog.pid, group.pid] }));
setInterval(() => undefined, 1000);
