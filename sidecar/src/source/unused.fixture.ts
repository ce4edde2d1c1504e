import type { SourceContext } from './source.ts';

/** What a source that is asked over the network makes no use of. */
export const unused: Pick<SourceContext, 'namespace' | 'pod' | 'secrets' | 'onChange'> = {
  namespace: 'tools',
  pod: 'mcp-github-0',
  secrets: '/nowhere',
  onChange: () => undefined,
};
