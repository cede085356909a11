/** A directory as the kubelet mounts it from a Secret with a certificate for clients. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface TlsSecret {
  directory: string;
  close(): Promise<void>;
}

export async function tlsSecret(): Promise<TlsSecret> {
  const directory = await mkdtemp(join(tmpdir(), 'router-tls-'));
  const files = ['-keyout', join(directory, 'tls.key'), '-out', join(directory, 'tls.crt')];
  const options = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x';
  await promisify(execFile)('openssl', ['req', ...options.split(' '), ...files]);
  return { directory, close: async () => await rm(directory, { recursive: true, force: true }) };
}
