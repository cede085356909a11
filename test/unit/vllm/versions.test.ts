import { describe, expect, it } from 'vitest';
import {
  compareVersions,
  formatVersion,
  imageVersion,
  parseVersion,
} from '../../../operator/vllm/versions.ts';

describe('imageVersion', () => {
  it.each([
    ['vllm/vllm-openai:v0.28.0', '0.28.0'],
    ['vllm/vllm-openai:v0.28.0-cu129', '0.28.0'],
    ['registry.example.com:5000/vllm/vllm-openai:0.17', '0.17.0'],
    ['registry.example.com/mirror/vllm/vllm-openai-rocm:v0.28.0', '0.28.0'],
    ['docker.io/vllm/vllm-openai-cpu:v0.30.0', '0.30.0'],
    ['public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.28.0', '0.28.0'],
    ['vllm/vllm-openai:v0.28.0@sha256:0123', '0.28.0'],
    ['vllm/vllm-openai:v0.28.0rc1', '0.28.0'],
  ])('%s is %s', (image, version) => {
    const parsed = imageVersion(image);
    expect(parsed && formatVersion(parsed)).toBe(version);
  });

  it.each([
    'vllm/vllm-openai',
    'vllm/vllm-openai:latest',
    'localhost:5000/vllm',
    'vllm@sha256:01',
    'vllm/vllm-openai:nightly-0.28.0',
    // Numbers of their own: a date, a release of the vendor.
    'nvcr.io/nvidia/vllm:25.09-py3',
    'lmcache/vllm-openai:v0.3.9',
    'registry.example.com/vllm-openai:v0.3.9',
    'registry.example.com/vllm:v1.4.0',
    'ghcr.io/llm-d/llm-d-cuda:v0.3.0',
  ])('%s does not tell', (image) => expect(imageVersion(image)).toBeUndefined());
});

it('orders versions as numbers', () => {
  const versions = ['0.9.2', '0.28.0', '0.11.1', '1.0.0', '0.11.0'].flatMap(
    (text) => parseVersion(text) ?? [],
  );
  expect(versions.sort(compareVersions).map(formatVersion)).toEqual([
    '0.9.2',
    '0.11.0',
    '0.11.1',
    '0.28.0',
    '1.0.0',
  ]);
});
