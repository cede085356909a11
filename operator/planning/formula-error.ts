/** Errors of the formula against published measurements, by accelerator: generated from them by `npm run generate`. */
import { MIN_MARGIN } from './coefficients.ts';
import table from './formula-error.json' with { type: 'json' };

/** Absolute errors in percent. */
interface ErrorSummary {
  rows: number;
  median: number;
  ninetieth: number;
  worst: number;
}

/** Fewer rows than this say too little of an accelerator. */
const MIN_ROWS = 20;

const TABLE: Readonly<Record<string, { tokenSeconds: ErrorSummary | null }>> = table;

/** How far predictions for an accelerator are to be trusted. */
export interface FormulaError {
  /** Of the time per token, as a sentence. */
  text: string;
  /** Share of each latency target that has to stay free. */
  margin: number;
}

/** The error for an accelerator, with a dense model or one of experts. Without enough rows, that of all accelerators. */
export function formulaError(product: string, experts: boolean): FormulaError {
  const own = TABLE[experts ? `${product} experts` : product]?.tokenSeconds;
  const all = TABLE['*']?.tokenSeconds;
  const rows = own?.rows ?? 0;
  const summary = own && rows >= MIN_ROWS ? own : all;
  if (!summary) throw new Error('formula-error.json has no errors');
  const { median, ninetieth, worst } = summary;
  const numbers = `median ${median} %, nine in ten within ${ninetieth} %, worst ${worst} %`;
  const few = rows === 0 ? 'no' : `only ${rows}`;
  return {
    text:
      summary === own
        ? `${rows} published times per token: ${numbers}`
        : `${few} published times per token; on all accelerators: ${numbers}`,
    margin: Math.max(MIN_MARGIN, ninetieth / 100),
  };
}
