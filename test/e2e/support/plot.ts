/** Draws dashboards as SVG, from what a real Prometheus answered to the queries of their panels. */
import type { Dashboard, Panel, Unit } from '../../../hack/monitoring/dashboard.ts';

/** A line of a panel: times in seconds, and values. */
export interface PlotLine {
  name: string;
  points: [number, number][];
}

const WIDTH = 380;
const HEIGHT = 190;
const GAP = 12;
const COLUMNS = 3;
const MAX_LINES = 6;
/** Seconds between two points that are joined. */
const LONGEST_STEP = 5;
const COLORS = ['#3274d9', '#e0752d', '#299c46', '#a352cc', '#c4162a', '#8f8f8f'];
const FRAME = { left: 50, right: 10, top: 26, bottom: 52 };

/** The picture of a dashboard; `lines` has those of each panel, by its title. */
export function plot({ title, rows }: Dashboard, lines: ReadonlyMap<string, readonly PlotLine[]>): string {
  const parts: string[] = [text(GAP, 26, title, 'font-size="18" font-weight="bold"')];
  let y = 44;
  for (const row of rows) {
    parts.push(text(GAP, y + 12, row.title, 'font-size="13" font-weight="bold" fill="#555"'));
    y += 22;
    for (const [i, panel] of row.panels.entries()) {
      const x = GAP + (i % COLUMNS) * (WIDTH + GAP);
      const top = y + Math.floor(i / COLUMNS) * (HEIGHT + GAP);
      parts.push(`<g transform="translate(${x},${top})">${panelOf(panel, lines.get(panel.title) ?? [])}</g>`);
    }
    y += Math.ceil(row.panels.length / COLUMNS) * (HEIGHT + GAP);
  }
  const width = GAP + COLUMNS * (WIDTH + GAP);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#f4f5f5"/>\n${parts.join('\n')}\n</svg>\n`;
}

function panelOf({ title, unit }: Panel, all: readonly PlotLine[]): string {
  const lines = all.toSorted((a, b) => most(b) - most(a)).slice(0, MAX_LINES);
  const points = lines.flatMap((line) => line.points);
  const times = points.map(([time]) => time);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const highest = Math.max(0, ...lines.map(most)) || 1;
  const width = WIDTH - FRAME.left - FRAME.right;
  const height = HEIGHT - FRAME.top - FRAME.bottom;
  const x = (time: number) => FRAME.left + (to > from ? ((time - from) / (to - from)) * width : 0);
  const y = (value: number) => FRAME.top + height - (Math.max(0, value) / highest) * height;
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(part * highest).toFixed(1);
    return `<path d="M${FRAME.left},${at}h${width}" stroke="#ddd"/>${text(FRAME.left - 4, Number(at) + 4, format(part * highest, unit), 'text-anchor="end" fill="#666" font-size="10"')}`;
  });
  const drawn = lines.map((line, i) => {
    const path = line.points.map(
      ([time, value], n) =>
        `${time - (line.points[n - 1]?.[0] ?? 0) > LONGEST_STEP ? 'M' : 'L'}${x(time).toFixed(1)},${y(value).toFixed(1)}`,
    );
    return `<path d="${path.join('')}" fill="none" stroke="${COLORS[i]}" stroke-width="1.5"/>`;
  });
  const legend = lines.map(({ name }, i) => {
    const [left, top] = [FRAME.left + (i % 2) * (width / 2), HEIGHT - 34 + Math.floor(i / 2) * 12];
    return text(
      left,
      top,
      `<tspan fill="${COLORS[i]}">■</tspan> ${xml(shorten(name))}`,
      'font-size="9"',
      false,
    );
  });
  return [
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="3" fill="#fff" stroke="#ddd"/>`,
    text(10, 17, title, 'font-weight="bold"'),
    ...grid,
    ...drawn,
    ...legend,
  ].join('');
}

function most({ points }: PlotLine): number {
  return Math.max(...points.map(([, value]) => value));
}

function format(value: number, unit: Unit): string {
  if (unit === 'percentunit') return `${number(value * 100)} %`;
  if (unit === 's') return value < 1 ? `${number(value * 1000)} ms` : `${number(value)} s`;
  if (unit === 'bytes') return `${number(value / 2 ** 20)} MiB`;
  if (unit === 'decmbytes') return `${number(value / 1000)} GB`;
  return number(value);
}

function number(value: number): string {
  return String(Number(value.toPrecision(2)));
}

function shorten(name: string): string {
  return name.length > 30 ? `${name.slice(0, 29)}…` : name;
}

function xml(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function text(x: number, y: number, content: string, attributes: string, escaped = true): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped ? xml(content) : content}</text>`;
}
