import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { usersAcl } from '../../../operator/render/redis-config.ts';

const lua = new URL('../../../operator/router/nginx/', import.meta.url);

/** Methods of the client itself, and `select`, which only the URL of an external Redis asks for. */
const NOT_COMMANDS = new Set([
  'new',
  'connect',
  'close',
  'set_timeout',
  'set_keepalive',
  'get_reused_times',
  'init_pipeline',
  'commit_pipeline',
  'cancel_pipeline',
  'sslhandshake',
  'select',
]);

it('the ACL admits exactly the commands that the routers send', () => {
  const sent = new Set<string>();
  for (const file of readdirSync(lua).filter((name) => name.endsWith('.lua'))) {
    for (const [, method = ''] of readFileSync(new URL(file, lua), 'utf8').matchAll(
      /\bconnection:([a-z_]+)\(/g,
    )) {
      if (!NOT_COMMANDS.has(method)) sent.add(method);
    }
  }
  const admitted = [...usersAcl('0'.repeat(64)).matchAll(/\+([a-z|]+)/g)].map(([, command]) => command);
  // ping is for probes and people.
  expect(admitted.sort()).toEqual([...sent, 'ping'].sort());
});
