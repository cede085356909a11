/** Published peak figures of accelerators, for predictions of speed. All without sparsity, which doubles the figures of data sheets. */
import type { AcceleratorProduct } from './accelerators.ts';

/** Arithmetic in 10^12 operations a second, bandwidths in 10^9 bytes a second. */
export interface AcceleratorPeaks {
  bf16Tflops: number;
  /** Absent: FP8 weights are unpacked and computed with as bfloat16. */
  fp8Tflops?: number;
  fp4Tflops?: number;
  memoryGBps: number;
  /** To the other accelerators of a node in one direction. Absent without links other than PCIe. */
  linkGBps?: number;
  /** Generation whose measurements of mixtures of experts apply. Absent: none were published. */
  experts?: 'hopper' | 'blackwell';
  /** Factor on the time of a decode step that published measurements of this accelerator show. Absent: 1. */
  decodeFactor?: number;
  /** Form factor that the figures are of, if a product has several. */
  formFactor?: string;
}

const hopper = { bf16Tflops: 989, fp8Tflops: 1978, linkGBps: 450, experts: 'hopper' } as const;

/**
 * By product. A100, H100, H200, B200, L4 and L40S: aiconfigurator's systems/*.yaml at 095f58a. A10: Baseten's comparison of A10
 * and A10G, and a gist of kimbochen. MI300X: GPU Markets' page of the series (2026-04-18); its links are 448 GB/s together. No
 * entry: no such figures were found with a source.
 */
export const ACCELERATOR_PEAKS: Readonly<Partial<Record<AcceleratorProduct, AcceleratorPeaks>>> = {
  A100: { bf16Tflops: 312, memoryGBps: 2039, linkGBps: 300, experts: 'hopper', formFactor: 'SXM' },
  H100: { ...hopper, memoryGBps: 3350, formFactor: 'SXM' },
  H200: { ...hopper, memoryGBps: 4800 },
  B200: {
    bf16Tflops: 2250,
    fp8Tflops: 4500,
    fp4Tflops: 9000,
    memoryGBps: 7700,
    linkGBps: 900,
    experts: 'blackwell',
  },
  L40S: { bf16Tflops: 362, fp8Tflops: 733, memoryGBps: 864 },
  L4: { bf16Tflops: 121, fp8Tflops: 242, memoryGBps: 300 },
  A10: { bf16Tflops: 125, memoryGBps: 600, decodeFactor: 1.2, formFactor: 'A10, not A10G' },
  MI300X: { bf16Tflops: 1307, fp8Tflops: 2615, memoryGBps: 5300, linkGBps: 448, decodeFactor: 1.2 },
};
