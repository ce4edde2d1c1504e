import { bearer, get, ok } from '../api.ts';
import type { Api } from '../api.ts';

const user = { id: 1, username: 'tanuki', name: 'Tanuki', state: 'active', web_url: 'https://gitlab.com/tanuki', bot: false };

export const gitlab: Api = {
  name: 'gitlab',
  host: 'gitlab.com',
  places: [bearer, { header: 'private-token', prefix: '' }],
  refusal: () => ({ status: 401, body: { message: '401 Unauthorized' } }),
  notFound: { status: 404, body: { error: '404 Not Found' } },
  routes: [
    get(/^\/api\/v4\/user$/u, () => ok(user)),
    get(/^\/api\/v4\/version$/u, () => ok({ version: '19.0.0-pre', revision: '6a5d4c3b2a1' })),
    get(/^\/api\/v4\/metadata$/u, () => ok({ version: '19.0.0-pre', revision: '6a5d4c3b2a1', kas: { enabled: true }, enterprise: true })),
    get(/^\/api\/v4\/projects\/([^/]+)$/u, (_call, [id = '']) => ok(project(decodeURIComponent(id)))),
  ],
};

function project(path: string) {
  const name = path.split('/').at(-1);
  return {
    id: 278964,
    description: 'A complete DevSecOps platform.',
    name,
    name_with_namespace: path.split('/').join(' / '),
    path: name,
    path_with_namespace: path,
    created_at: '2015-05-20T10:47:11.949Z',
    default_branch: 'master',
    http_url_to_repo: `https://gitlab.com/${path}.git`,
    ssh_url_to_repo: `git@gitlab.com:${path}.git`,
    web_url: `https://gitlab.com/${path}`,
    forks_count: 11000,
    star_count: 5600,
    last_activity_at: '2026-11-20T08:00:00.000Z',
    visibility: 'public',
    archived: false,
    issues_enabled: true,
    merge_requests_enabled: true,
    owner: user,
  };
}
