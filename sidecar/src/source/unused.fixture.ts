import type { SourceContext } from './source.ts';

/** What a source that is asked over the network makes no use of. */
export const unused: Pick<SourceContext, 'namespace' | 'secrets' | 'onChange'> = {
  namespace: 'tools',
  secrets: '/nowhere',
  onChange: () => undefined,
};
