import { describe, expect, it } from 'vitest';
import { usageText } from '../../../operator/cli/usage-text.ts';
import { account } from '../../../operator/usage/account.ts';
import { emptyLedger, type Ledger } from '../../../operator/usage/ledger.ts';
import { HOUR_MS } from '../../../operator/usage/periods.ts';
import { usageRows } from '../../../operator/usage/report.ts';

const MIDNIGHT = Date.UTC(2026, 10, 28);
const at = (hours: number) => MIDNIGHT + hours * HOUR_MS;

/** Two models: `chat` costs 2 per hour, `code` has no price. Key `team/ci` asks `chat` for three quarters of its tokens. */
function ledger(): Ledger {
  const counts = [
    { tenant: 'team/ci', promptTokens: 700, completionTokens: 50, cachedRequests: 1, cachedTokens: 250 },
    { tenant: 'team', promptTokens: 200, completionTokens: 50, cachedRequests: 0, cachedTokens: 0 },
  ].map((count) => ({ model: 'chat', requests: 5, ...count }));
  return account(
    emptyLedger('team'),
    {
      allocations: [
        { uid: 'a', model: 'chat', accelerators: 2, start: at(1), end: at(3), hourlyCost: 2 },
        { uid: 'b', model: 'code', accelerators: 1, start: at(2) },
      ],
      sleepers: [],
      batches: [{ router: 'r', id: 1, counts }],
    },
    at(4),
  );
}

const ledgers = () => [{ pool: 'platform/pool', ledger: ledger(), hourlyCost: 2, hourlyCostHint: 3 }];

describe('a report of usage', () => {
  it('has models, teams and pools, with prices of the catalog marked as such', () => {
    expect(usageRows(ledgers(), at(0), 'model')).toMatchObject([
      { name: 'team/chat', acceleratorSeconds: 4 * 3_600, cost: 8, costIsEstimate: false, requests: 10 },
      { name: 'team/code', acceleratorSeconds: 2 * 3_600, cost: 6, costIsEstimate: true },
    ]);
    expect(usageRows(ledgers(), at(0), 'team')).toMatchObject([
      { name: 'team', cost: 14, costIsEstimate: true },
    ]);
    expect(usageRows(ledgers(), at(0), 'pool')).toMatchObject([{ name: 'platform/pool', cost: 14 }]);
  });

  it('estimates what the cache saved from the time that the model needed for a token', () => {
    const [chat] = usageRows(ledgers(), at(0), 'model');
    // 1,000 tokens took 4 accelerator-hours.
    expect(chat).toMatchObject({ cacheSavedAcceleratorSeconds: 3_600, cacheSavedCost: 2 });
  });

  it('shares the cost of a model among keys by their tokens', () => {
    expect(usageRows(ledgers(), at(0), 'key')).toMatchObject([
      { name: 'team/ci', cost: 6, costIsEstimate: true, requests: 5 },
      { name: 'team', cost: 2, costIsEstimate: true },
    ]);
  });

  it('begins at an hour', () => {
    expect(usageRows(ledgers(), at(3), 'model')).toMatchObject([
      { name: 'team/code', acceleratorSeconds: 3_600 },
      { name: 'team/chat', acceleratorSeconds: 0, requests: 10 },
    ]);
    expect(usageRows(ledgers(), at(24), 'model')).toEqual([]);
  });

  it('is printed as a table, CSV and JSON', () => {
    const report = {
      since: at(0),
      until: at(4),
      by: 'model',
      rows: usageRows(ledgers(), at(0), 'model'),
    } as const;
    expect(usageText(report, 'table')).toBe(`since 2026-11-28T00:00:00.000Z

model      accelerator-hours   cost  requests  prompt  output  cached  cache-saved  sleep-saved
team/chat               4.00   8.00        10     900     100     250        ~2.00        ~0.00
team/code               2.00  ~6.00         0       0       0       0        ~0.00        ~0.00

~ includes accelerators without a price: set spec.accelerator.hourlyCost of the pool. The catalog has rough prices of on-demand machines in USD.
`);
    expect(usageText(report, 'csv').split('\n')[1]).toBe(
      'team/chat,14400,0,8,false,10,900,100,1,250,3600,2,0,0',
    );
    const [forged] = report.rows.map((row) => ({ ...row, name: 'a,"\u001b[2J' }));
    const forgedRows = { ...report, rows: forged ? [forged] : [] };
    expect(usageText(forgedRows, 'csv').split('\n')[1]).toMatch(/^"a,""\\u001b\[2J",/);
    expect(usageText(forgedRows, 'table')).toContain('a,"\\u001b[2J');
    expect(JSON.parse(usageText(report, 'json'))).toMatchObject({
      by: 'model',
      rows: [{ name: 'team/chat' }, {}],
    });
    expect(usageText({ ...report, rows: [] }, 'table')).toBe(
      'nothing was used since 2026-11-28T00:00:00.000Z\n',
    );
  });
});
