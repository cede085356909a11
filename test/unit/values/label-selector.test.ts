import { expect, it } from 'vitest';
import {
  LabelSelectorError,
  matchesSelector,
  parseLabelSelector,
} from '../../../operator/values/label-selector.ts';

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
  ['constructor', {}, false],
  ['!toString', {}, true],
  ['cards > 1', { cards: '2' }, true],
  ['cards<2', { cards: '2' }, false],
  ['cards > 1', { cards: 'many' }, false],
  ['!model', {}, true],
  ['! model', { model: 'x' }, false],
  ['example.com/team=a,model in (x,y),!old', { 'example.com/team': 'a', model: 'y' }, true],
  ['example.com/team=a,model in (x,y),!old', { 'example.com/team': 'a', model: 'y', old: '' }, false],
])('%s of %j', (selector, labels, expected) => {
  expect(parseLabelSelector(selector)(labels)).toBe(expected);
});

it.each([
  'a=b=c',
  'in (a)',
  'model in llama',
  'model in (a b)',
  'a=b,,c',
  'a > b',
  '-a=b',
  'a/b/c',
  'UP/a',
  'model in (a',
])('refuses %s and shows what can be written', (selector) => {
  expect(() => parseLabelSelector(selector)).toThrow(LabelSelectorError);
});

it('matches objects by all of their conditions', () => {
  const selector = {
    matchLabels: { team: 'a' },
    matchExpressions: [{ key: 'model', operator: 'In' as const, values: ['x', 'y'] }],
  };
  expect(matchesSelector(selector, { team: 'a', model: 'y' })).toBe(true);
  expect(matchesSelector(selector, { team: 'a' })).toBe(false);
  expect(matchesSelector({}, {})).toBe(true);
  expect(matchesSelector(undefined, { team: 'a' })).toBe(false);
});
