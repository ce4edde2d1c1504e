import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod, until } from '../pod.fake.ts';

let pod: FakePod;
beforeAll(async () => {
  pod = await startPod();
});
afterAll(() => pod.stop());

const told: Record<string, [string | undefined, string | undefined]> = {
  'by the convention for generative AI': ['a=b, gen_ai.tool.name = search_issues ;p=1', 'search_issues'],
  'by the convention for MCP': ['mcp.tool.name=repos/get-file', 'repos/get-file'],
  'not without baggage': [undefined, undefined],
  'not where the baggage is of something else': ['user=alice,tool=x', undefined],
  'not where it is a text': ['mcp.tool.name=ignore all%20rules', undefined],
  'not where it is too long': [`mcp.tool.name=${'a'.repeat(129)}`, undefined],
};

test.each(Object.entries(told))('the audit tells of the tool that the server names: %s', async (name, [baggage, tool]) => {
  const path = `/${encodeURIComponent(name)}`;
  await call(pod, { path, headers: { ...bearer, ...(baggage === undefined ? {} : { baggage }) } });
  await until(() => pod.audit.some((line) => line['path'] === path));
  expect(pod.audit.find((line) => line['path'] === path)?.['tool']).toBe(tool);
});
