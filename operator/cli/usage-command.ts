/** `vllm-operator usage`: what models, teams, pools and API keys used and cost, from the records in a cluster. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { INFERENCE_POOLS, type InferencePool } from '../api/types.ts';
import { listUsage, readUsage } from '../controllers/usage/usage-record.ts';
import type { KubeClient } from '../kube/client.ts';
import { keyOf } from '../kube/key.ts';
import { account } from '../usage/account.ts';
import type { Ledger } from '../usage/ledger.ts';
import { DAY_MS, HOUR_MS } from '../usage/periods.ts';
import { GROUPS, type Group, type PoolLedger, startOfMonth, usageRows } from '../usage/report.ts';
import { ACCELERATORS, isProduct } from '../vllm/accelerators.ts';
import { label } from './arguments.ts';
import type { CommandOutput } from './problems.ts';
import { FORMATS, type Format, usageText } from './usage-text.ts';
import { addClusterOptions, type ClusterOptions, withCluster } from './with-cluster.ts';

export interface UsageOptions extends ClusterOptions {
  namespace?: string;
  since?: Since;
  by: Group;
  output: Format;
}

/** The start of the window for a time of the clock. */
type Since = (now: number) => number;

/** The `usage` command. `exit` gets the code with which the process has to end. */
export function usageCommand(io: CommandOutput, exit: (code: number) => void, signal: AbortSignal): Command {
  const usage = new Command('usage')
    .description(
      'print accelerator time, tokens and money that models used, from the records of the operator',
    )
    .option('-n, --namespace <name>', 'only pools in this namespace; default: pools in all namespaces', label)
    .option(
      '--since <time>',
      'duration such as 24h or 7d, or a date such as 2026-11-01; default: this month',
      since,
    )
    .addOption(new Option('--by <group>', 'what a line is').choices(GROUPS).default('model'))
    .addOption(new Option('-o, --output <format>', 'format').choices(FORMATS).default('table'));
  return addClusterOptions(usage).action(async (options: UsageOptions) =>
    exit(await printUsage(options, io, Date.now(), signal)),
  );
}

/** Reads and prints. Returns the exit code. */
async function printUsage(
  options: UsageOptions,
  io: CommandOutput,
  now: number,
  signal: AbortSignal,
): Promise<number> {
  return await withCluster(options, io, { signal, forbidden: FORBIDDEN }, async (client) => {
    const ledgers = await readLedgers(client, options.namespace, now, signal);
    const from = options.since?.(now) ?? startOfMonth(now);
    const rows = usageRows(ledgers, from, options.by);
    io.write(usageText({ since: from, until: now, by: options.by, rows }, options.output));
  });
}

const FORBIDDEN =
  'you need to list inferencepools and configmaps where the pools are: choose their namespace with -n. What your own models used is in their status.usage';

async function readLedgers(
  client: KubeClient,
  namespace: string | undefined,
  now: number,
  signal: AbortSignal,
): Promise<PoolLedger[]> {
  const where = { namespace, signal };
  const { items: pools } = await client.list<InferencePool>(INFERENCE_POOLS, where);
  const records = await listUsage(client, pools, where);
  return pools.flatMap((pool) => {
    const { hourlyCost, type } = pool.spec.accelerator;
    const [product = ''] = type.split('x');
    const hourlyCostHint = isProduct(product) ? ACCELERATORS[product].hourlyCostHint : undefined;
    return [...readUsage(pool, records).ledgers.values()].map(({ ledger }) => ({
      pool: keyOf(pool),
      ledger: untilNow(ledger, now),
      ...(hourlyCost !== undefined && { hourlyCost: Number(hourlyCost) }),
      ...(hourlyCostHint !== undefined && { hourlyCostHint: Number(hourlyCostHint) }),
    }));
  });
}

/** With the time of models that sleep, which the operator accounts when they wake. */
function untilNow(ledger: Ledger, now: number): Ledger {
  return account(ledger, { allocations: [], sleepers: [], batches: [] }, now);
}

const UNITS = { h: HOUR_MS, d: DAY_MS } as const;

/** Hours begin with the clock, so a window of a day has 24 whole hours and the present one. */
function since(value: string): Since {
  const [, amount, unit] = /^([1-9]\d{0,4})([hd])$/.exec(value) ?? [];
  if (unit === 'h' || unit === 'd')
    return (now) => Math.floor(now / HOUR_MS) * HOUR_MS - Number(amount) * UNITS[unit];
  const date = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(date))
    throw new InvalidArgumentError('Use a number of hours or days, such as 24h or 7d, or a date.');
  return () => date;
}
