import { describe, expect, it } from 'vitest';
import { customResourceDefinitions } from '../../../operator/api/crd.ts';

describe('columns of kubectl get', () => {
  it('tell a model that is refused from one that sleeps, at the usual width', () => {
    const model = customResourceDefinitions().find(({ spec }) => spec.names.kind === 'InferenceModel');
    const columns = model?.spec.versions[0]?.additionalPrinterColumns ?? [];
    const usual = columns.filter(({ priority = 0 }) => priority === 0).map(({ name }) => name);
    expect(usual).toEqual(['Pool', 'State', 'Ready', 'Desired', 'Accelerators', 'Reason', 'Age']);
    expect(columns.map(({ name }) => name)).toEqual(expect.arrayContaining(['Condition', 'URL']));
  });
});
