/** Fails when a package that the operator ships has a known vulnerability of high or critical severity. Passes if the registry offers no audits. */
import { spawnSync } from 'node:child_process';

interface Audit {
  message?: string;
  metadata?: { vulnerabilities: Record<'high' | 'critical', number> };
  vulnerabilities?: Record<string, { severity: string; range: string; fixAvailable: unknown }>;
}

const { stdout } = spawnSync('npm', ['audit', '--json', '--omit=dev', '--audit=true'], { encoding: 'utf8' });
const audit = JSON.parse(stdout) as Audit;
if (!audit.metadata) {
  console.log(`not checked: ${audit.message ?? 'the registry gave no answer'}`);
} else {
  const { high, critical } = audit.metadata.vulnerabilities;
  for (const [name, { severity, range, fixAvailable }] of Object.entries(audit.vulnerabilities ?? {})) {
    console.log(`${severity}: ${name} ${range}${fixAvailable ? '; npm audit fix repairs it' : ''}`);
  }
  process.exitCode = high + critical > 0 ? 1 : 0;
}
