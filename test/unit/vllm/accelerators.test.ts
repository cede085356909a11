import { describe, expect, it } from 'vitest';
import { resolveAccelerator } from '../../../operator/model/resolve-accelerator.ts';
import { InvalidSpecError } from '../../../operator/values/spec-issue.ts';
import { ACCELERATOR_PRODUCTS, ACCELERATORS } from '../../../operator/vllm/accelerators.ts';

describe('resolveAccelerator', () => {
  it.each([
    ['A100', 1, 80, 'nvidia.com/gpu'],
    ['A100-40GBx16', 16, 40, 'nvidia.com/gpu'],
    ['H100x4', 4, 79.6, 'nvidia.com/gpu'],
    ['H100x8', 8, 79.6, 'nvidia.com/gpu'],
    ['T4x2', 2, 15, 'nvidia.com/gpu'],
    ['MI300Xx8', 8, 191.9, 'amd.com/gpu'],
  ])('%s is %d with %d GiB of %s', (type, count, memoryGiB, resourceName) => {
    expect(resolveAccelerator({ type })).toMatchObject({ count, memoryGiB, resourceName });
  });

  it('uses a custom accelerator unchanged', () => {
    const custom = { resourceName: 'example.com/npu', count: 3, memoryGiB: 64 };
    expect(resolveAccelerator({ type: 'custom', custom })).toMatchObject({
      product: 'custom',
      vendor: 'other',
      count: 3,
      resourceName: 'example.com/npu',
    });
  });

  it.each(['X100', 'H100x16', 'A100x0', 'custom'])('refuses %s with a remedy', (type) => {
    expect(() => resolveAccelerator({ type })).toThrow(InvalidSpecError);
  });
});

describe('further resources', () => {
  it.each<[string, string]>([
    ['rdma', 'no domain'],
    ['RDMA/hca', 'a domain that is none'],
    ['rdma/', 'no name'],
    ['nvidia.com/gpu', 'the accelerator itself'],
  ])('%s is refused: %s', (name) => {
    const found = () => resolveAccelerator({ type: 'A100', resources: { [name]: '1' } });
    expect(found).toThrow(InvalidSpecError);
    expect(found).toThrow(new RegExp(`^spec\\.accelerator\\.resources of the InferencePool "${name}"`));
  });

  it('belong to every kind of accelerator', () => {
    const resources = { 'rdma/hca_shared': '1' };
    const custom = { resourceName: 'example.com/npu', count: 3, memoryGiB: 64 };
    for (const spec of [{ type: 'A100' }, { type: 'CPU' }, { type: 'custom', custom }]) {
      expect(resolveAccelerator({ ...spec, resources }).furtherResources).toEqual(resources);
    }
  });
});

describe('catalog', () => {
  it.each(ACCELERATOR_PRODUCTS)(
    '%s has names that no other product has, and none of a shared GPU',
    (product) => {
      const names = (of: keyof typeof ACCELERATORS): readonly string[] =>
        ACCELERATORS[of].productLabel.values;
      const others = ACCELERATOR_PRODUCTS.filter((other) => other !== product).flatMap(names);
      expect(names(product).length).toBeGreaterThan(0);
      for (const name of names(product)) {
        expect(others).not.toContain(name);
        expect(name).toMatch(/^[A-Za-z0-9][-A-Za-z0-9_.]{0,62}$/);
        expect(name).not.toMatch(/-SHARED$/);
      }
    },
  );

  it('asks for at least the 2 + N cores that vLLM needs', () => {
    for (const { cpu, maxPerNode } of Object.values(ACCELERATORS)) {
      for (const count of [1, maxPerNode]) expect(cpu * count).toBeGreaterThanOrEqual(2 + count);
    }
  });
});
