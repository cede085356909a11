import { expect, it } from 'vitest';
import { LabelSelectorError, parseLabelSelector } from '../../../operator/metrics-api/label-selector.ts';

it.each<[string, Record<string, string>, boolean]>([
  ['', {}, true],
  ['model=llama', { model: 'llama' }, true],
  ['model==llama', { model: 'llama' }, true],
  ['model = llama', { model: 'mistral' }, false],
  ['model=', { model: '' }, true],
  ['model!=llama', { model: 'mistral' }, true],
  ['model!=llama', {}, true],
  ['model!=llama', { model: 'llama' }, false],
  ['model in (llama, mistral)', { model: 'mistral' }, true],
  ['model in (llama,mistral)', { model: 'qwen' }, false],
  ['model in (llama)', {}, false],
  ['model notin (llama,mistral)', { model: 'qwen' }, true],
  ['model notin (llama)', { model: 'llama' }, false],
  ['model notin (llama)', {}, true],
  ['model', { model: 'x' }, true],
  ['model', {}, false],
  ['!model', {}, true],
  ['! model', { model: 'x' }, false],
  ['example.com/team=a,model in (x,y),!old', { 'example.com/team': 'a', model: 'y' }, true],
  ['example.com/team=a,model in (x,y),!old', { 'example.com/team': 'a', model: 'y', old: '' }, false],
])('%s of %j', (selector, labels, expected) => {
  expect(parseLabelSelector(selector)(labels)).toBe(expected);
});

it.each(['a=b=c', 'in (a)', 'model in llama', 'model in (a b)', 'a=b,,c', 'a > 1', '-a=b', 'model in (a'])(
  'refuses %s and shows what can be written',
  (selector) => {
    expect(() => parseLabelSelector(selector)).toThrow(LabelSelectorError);
  },
);
