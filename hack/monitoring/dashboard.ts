/** Dashboards as data, and their form for Grafana. */

export type Unit = 'short' | 's' | 'reqps' | 'percentunit' | 'bytes' | 'cps' | 'd' | 'decmbytes';

export interface Query {
  expr: string;
  /** Name of each line, with labels in double braces. */
  legend: string;
}

export interface Panel {
  title: string;
  /** What it shows, and what to do about it. */
  description: string;
  unit: Unit;
  queries: Query[];
  /** One number instead of lines over time. */
  kind?: 'stat';
}

export interface Dashboard {
  /** Unchanging identity in Grafana, and name of its file. */
  uid: string;
  title: string;
  /** The label whose values choose what is shown, and a query for them. */
  variables: readonly Variable[];
  rows: { title: string; panels: Panel[] }[];
}

export interface Variable {
  /** Whether `All` means only the values that the query finds: others may have metrics of the same names. */
  onlyFound?: boolean;
  name: string;
  label: string;
  query: string;
}

/** Chooses pools by the namespace of their routers. */
export const POOL_NAMESPACE: Variable = {
  name: 'namespace',
  label: 'Namespace of the pool',
  query: 'label_values(vllm_router_route_table_version, namespace)',
};

/** Chooses teams by the namespace of their models. */
export const TEAM: Variable = {
  name: 'team',
  label: 'Namespace of the model',
  query: 'label_values(vllm_router_endpoints, exported_namespace)',
};

const SOURCE = { type: 'prometheus', uid: '${datasource}' } as const;
const WIDTH = 24;
const PANELS_A_LINE = 3;
const HEIGHT = { stat: 5, lines: 8 } as const;

/** The JSON model that Grafana reads. */
export function grafanaJson(dashboard: Dashboard): object {
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    tags: ['vllm-operator'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: [sourceVariable(), ...dashboard.variables.map(queryVariable)] },
    panels: panelsOf(dashboard),
  };
}

function sourceVariable(): object {
  return { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' };
}

function queryVariable({ name, label, query, onlyFound = false }: Variable): object {
  return {
    name,
    label,
    type: 'query',
    datasource: SOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    includeAll: true,
    multi: true,
    ...(!onlyFound && { allValue: '.*' }),
    current: { text: 'All', value: '$__all' },
    sort: 1,
  };
}

function panelsOf({ rows }: Dashboard): object[] {
  const panels: object[] = [];
  let y = 0;
  let id = 1;
  for (const { title, panels: inRow } of rows) {
    panels.push({
      id: id++,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: WIDTH, h: 1 },
    });
    for (let start = 0; start < inRow.length; start += PANELS_A_LINE) {
      const line = inRow.slice(start, start + PANELS_A_LINE);
      const h = line.every(({ kind }) => kind === 'stat') ? HEIGHT.stat : HEIGHT.lines;
      const w = WIDTH / line.length;
      for (const [i, panel] of line.entries()) panels.push(panelOf(panel, id++, { x: i * w, y, w, h }));
      y += h;
    }
  }
  return panels;
}

function panelOf({ title, description, unit, queries, kind }: Panel, id: number, gridPos: object): object {
  return {
    id,
    type: kind ?? 'timeseries',
    title,
    description,
    datasource: SOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options:
      kind === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] }, graphMode: 'area' }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(({ expr, legend }, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
    })),
  };
}
