/** Rules on texts that name weights: what a text begins with must be where the weights are, because policies go by that. */
import { z } from 'zod';
import { type Rule, withRules } from './rule.ts';

/** No segment leads up, as in `file:///models/../tmp`. */
export const NO_WAY_UP: Rule<string> = {
  rule: "!('/' + self + '/').contains('/../')",
  problem: 'the path leads up',
  remedy: 'write it without ..',
  holds: (self) => !`/${self}/`.includes('/../'),
};

/** A part of the id of a repository as the hub has it (huggingface_hub, validate_repo_id): `.` would be a path of the container. */
export const HUB_NAME = '[A-Za-z0-9_]([-A-Za-z0-9._]*[A-Za-z0-9_])?';
const HUB_ID = `^(hf://)?${HUB_NAME}(/${HUB_NAME})?$`;
const HUB_ID_PATTERN = new RegExp(HUB_ID);

/** An adapter or draft model that vLLM looks up by itself: it takes everything that is no URL or absolute path for an id or a relative path. */
export const weightsName = (max: number): z.ZodString =>
  withRules(z.string().min(1).max(max), [
    NO_WAY_UP,
    {
      rule: `self.startsWith('/') || (self.contains('://') && !self.startsWith('hf://')) || self.matches('${HUB_ID}')`,
      problem: 'not the id of a repository',
      remedy: 'use hf://org/name without a revision, or file:///path for a path in the container',
      holds: (self) =>
        self.startsWith('/') ||
        (self.includes('://') && !self.startsWith('hf://')) ||
        HUB_ID_PATTERN.test(self),
    },
  ]);
