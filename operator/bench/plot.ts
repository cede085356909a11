/** Draws lines of values over rates as an SVG document that any browser and Markdown page shows. */
import { printable } from '../values/printable.ts';

/** Points of a line, by rising `x`. */
export interface PlotLine {
  name: string;
  points: readonly { x: number; y: number /** Drawn as a cross, not as a dot. */; isFailed?: boolean }[];
}

export interface Plot {
  title: string;
  xLabel: string;
  yLabel: string;
  lines: readonly PlotLine[];
  /** A limit, drawn as a dashed line. */
  limit?: { y: number; name: string };
}

const [WIDTH, HEIGHT] = [800, 450];
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 20, 50, 50];
/** Colours that people with colour blindness can distinguish (Okabe and Ito). */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const LIMIT_COLOR = '#b00020';

/** The highest value may be this many times the lowest one on a linear scale. Above, it is logarithmic. */
const MAX_LINEAR = 20;

/** The plot as SVG. Lines without points are left out. */
export function plotSvg({ title, xLabel, yLabel, lines, limit }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const x = linearScale(
    points.map((point) => point.x),
    [LEFT, WIDTH - RIGHT],
  );
  const heights = [...points.map((point) => point.y), ...(limit ? [limit.y] : [])].filter((y) => y > 0);
  const range = [HEIGHT - BOTTOM, TOP] as const;
  const isLogarithmic = Math.max(...heights) > MAX_LINEAR * Math.min(...heights);
  const y = isLogarithmic ? logScale(heights, range) : linearScale(heights, range);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    label(LEFT, 22, title, 'font-size="15" font-weight="bold"'),
    ...x.ticks.map((tick) => vertical(x.at(tick), amount(tick))),
    ...y.ticks.map((tick) => horizontal(y.at(tick), amount(tick))),
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, xLabel, 'text-anchor="middle"'),
    label(
      0,
      0,
      yLabel,
      `text-anchor="middle" transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"`,
    ),
    ...(limit
      ? [
          `<path d="M${LEFT} ${round(y.at(limit.y))}H${WIDTH - RIGHT}" stroke="${LIMIT_COLOR}" stroke-dasharray="6 4"/>`,
          label(WIDTH - RIGHT, y.at(limit.y) - 5, limit.name, `text-anchor="end" fill="${LIMIT_COLOR}"`),
        ]
      : []),
    ...lines.flatMap((line, at) => drawn(line, COLORS[at % COLORS.length] ?? '#000', x, y)),
    ...(lines.length > 1 ? lines.flatMap(({ name }, at) => legend(name, at)) : []),
    '</svg>\n',
  ].join('\n');
}

interface Scale {
  ticks: number[];
  at(value: number): number;
}

/** From 0 to a round number. */
function linearScale(values: readonly number[], [from, to]: readonly [number, number]): Scale {
  const highest = Math.max(...values, 0) || 1;
  const raw = highest / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10) * power;
  const count = Math.ceil(highest / step);
  return {
    ticks: Array.from({ length: count + 1 }, (_, n) => n * step),
    at: (value) => from + (value / (count * step)) * (to - from),
  };
}

/** From one power of ten to another. */
function logScale(values: readonly number[], [from, to]: readonly [number, number]): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  const position = (value: number): number => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, n) => 10 ** (low + n)),
    at: (value) => from + position(value) * (to - from),
  };
}

function drawn({ points }: PlotLine, color: string, x: Scale, y: Scale): string[] {
  if (points.length === 0) return [];
  const places = points.map((point) => ({ ...point, left: round(x.at(point.x)), top: round(y.at(point.y)) }));
  const path = places.map(({ left, top }) => `${left} ${top}`).join('L');
  return [
    `<path d="M${path}" fill="none" stroke="${color}" stroke-width="2"/>`,
    ...places.map(({ left, top, isFailed }) =>
      isFailed
        ? `<path d="M${left - 5} ${top - 5}l10 10m0 -10l-10 10" stroke="${color}" stroke-width="2"/>`
        : `<circle cx="${left}" cy="${top}" r="4" fill="${color}"/>`,
    ),
  ];
}

function legend(name: string, at: number): string[] {
  const top = TOP - 14;
  const left = LEFT + at * 220;
  return [
    `<rect x="${left}" y="${top - 9}" width="10" height="10" fill="${COLORS[at % COLORS.length]}"/>`,
    label(left + 15, top, name),
  ];
}

function vertical(left: number, text: string): string {
  return `<path d="M${round(left)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#ddd"/>${label(left, HEIGHT - BOTTOM + 18, text, 'text-anchor="middle"')}`;
}

function horizontal(top: number, text: string): string {
  return `<path d="M${LEFT} ${round(top)}H${WIDTH - RIGHT}" stroke="#ddd"/>${label(LEFT - 8, top + 4, text, 'text-anchor="end"')}`;
}

/** Text is from users and servers: it must not end the element. */
function label(left: number, top: number, text: string, attributes = ''): string {
  const escaped = printable(text).replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
  return `<text x="${round(left)}" y="${round(top)}" ${attributes}>${escaped}</text>`;
}

function amount(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
