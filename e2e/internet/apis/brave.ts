import { get, ok } from '../api.ts';
import type { Api } from '../api.ts';

const results = ['Introduction', 'Specification', 'Servers', 'Clients', 'Authorization'].map((title) => ({
  title: `Model Context Protocol: ${title}`,
  url: `https://modelcontextprotocol.io/${title.toLowerCase()}`,
  description: `${title} of an open standard that connects AI applications to data and tools.`,
  is_source_local: false,
  is_source_both: false,
  language: 'en',
  family_friendly: true,
  type: 'search_result',
  subtype: 'generic',
}));

export const brave: Api = {
  name: 'brave',
  host: 'api.search.brave.com',
  places: [{ header: 'x-subscription-token', prefix: '' }],
  refusal: () => failed(422, 'SUBSCRIPTION_TOKEN_INVALID', 'The provided subscription token is invalid.'),
  notFound: failed(404, 'RESOURCE_NOT_FOUND', 'Unknown resource.'),
  routes: [
    get(/^\/res\/v1\/web\/search$/u, ({ url }) =>
      ok({
        type: 'search',
        query: { original: url.searchParams.get('q'), more_results_available: true },
        mixed: { type: 'mixed', main: [], top: [], side: [] },
        web: { type: 'search', results, family_friendly: true },
      }),
    ),
  ],
};

function failed(status: number, code: string, detail: string) {
  const error = { id: '00000000-0000-4000-8000-000000000000', status, code, detail, meta: { component: 'authentication' } };
  return { status, body: { type: 'ErrorResponse', error, time: 1_795_000_000 } };
}
