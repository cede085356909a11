import { expect, test } from 'vitest';
import { pathRewriter } from '../../../hack/devcluster/node/path-rewriter.ts';

const rewrite = pathRewriter([
  { from: '/etc/app', to: '/pods/1/conf' },
  { from: '/etc/app/keys/', to: '/pods/1/keys' },
  { from: '/tmp', to: '/pods/1/tmp' },
]);

test.each([
  ['/etc/app', '/pods/1/conf'],
  ['--dir=/etc/app/main.conf', '--dir=/pods/1/conf/main.conf'],
  ['/etc/app/keys/a:/etc/app', '/pods/1/keys/a:/pods/1/conf'],
  ['cat "/etc/app/x" > /tmp/y', 'cat "/pods/1/conf/x" > /pods/1/tmp/y'],
  ['dir=${DIR:-/etc/app}', 'dir=${DIR:-/pods/1/conf}'],
  ['/etc/app-data /etc/app.conf /opt/etc/app x/tmp', '/etc/app-data /etc/app.conf /opt/etc/app x/tmp'],
])('%s', (before, after) => {
  expect(rewrite(before)).toBe(after);
});
