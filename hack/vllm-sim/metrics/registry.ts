/** The little of Prometheus that an engine exposes; a library would cost more memory than the engine. */

type Labels = Readonly<Record<string, string>>;

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function numberText(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}

/** Anything with lines in the exposition. */
export interface Metric {
  render(): string;
}

/** One series of a counter or gauge. */
export interface Cell {
  value: number;
}

/** A counter or gauge with any number of label sets. */
export class Scalar implements Metric {
  readonly #name: string;
  readonly #head: string;
  readonly #cells = new Map<string, Cell>();

  constructor(name: string, kind: 'counter' | 'gauge', help: string) {
    this.#name = name;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
  }

  /** The series with these labels. Callers that change it often should hold on to it. */
  cell(labels: Labels): Cell {
    const key = labelText(labels);
    const cell = this.#cells.get(key) ?? { value: 0 };
    this.#cells.set(key, cell);
    return cell;
  }

  clear(): void {
    this.#cells.clear();
  }

  render(): string {
    let text = this.#head;
    for (const [labels, { value }] of this.#cells) {
      text += `${this.#name}${labels} ${numberText(value)}\n`;
    }
    return text;
  }
}

/** A histogram with one label set. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number, times = 1): void {
    this.#sum += value * times;
    this.#count += times;
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) {
      this.#counts[at] = (this.#counts[at] ?? 0) + times;
    }
  }

  /** Lines without the head, for one of several label sets. */
  renderSeries(name: string, labels: Labels): string {
    let text = '';
    let below = 0;
    for (const [i, bound] of this.#bounds.entries()) {
      below += this.#counts[i] ?? 0;
      text += `${name}_bucket${labelText({ ...labels, le: numberText(bound) })} ${numberText(below)}\n`;
    }
    text += `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${numberText(this.#count)}\n`;
    text += `${name}_count${labelText(labels)} ${numberText(this.#count)}\n`;
    return `${text}${name}_sum${labelText(labels)} ${numberText(this.#sum)}\n`;
  }
}

/** Histograms of one name over several label sets. */
export class HistogramFamily implements Metric {
  readonly #name: string;
  readonly #head: string;
  readonly #series: [Labels, Histogram][] = [];

  constructor(name: string, help: string) {
    this.#name = name;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
  }

  series(labels: Labels, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds);
    this.#series.push([labels, histogram]);
    return histogram;
  }

  render(): string {
    return this.#head + this.#series.map(([labels, h]) => h.renderSeries(this.#name, labels)).join('');
  }
}
