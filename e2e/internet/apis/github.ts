import { bearer, get, json, ok, post } from '../api.ts';
import type { Api, Call } from '../api.ts';

const origin = 'https://api.github.com';
const documentation = 'https://docs.github.com/rest';

export const github: Api = {
  name: 'github',
  host: 'api.github.com',
  places: [bearer, { header: 'authorization', prefix: 'token ' }],
  refusal: (given) => ({
    status: 401,
    body: { message: given ? 'Bad credentials' : 'Requires authentication', documentation_url: documentation, status: '401' },
  }),
  notFound: { status: 404, body: { message: 'Not Found', documentation_url: documentation, status: '404' } },
  routes: [
    get(/^\/user$/u, () => ok(user)),
    get(/^\/repos\/([^/]+)\/([^/]+)\/issues\/(\d+)$/u, (_call, [owner, repo, number]) => ok(issue(`${owner}/${repo}`, Number(number)))),
    post(/^\/repos\/([^/]+)\/([^/]+)\/issues$/u, (call, [owner, repo]) => created(`${owner}/${repo}`, call)),
    get(/^\/repos\/([^/]+)\/([^/]+)\/commits$/u, (_call, [owner, repo]) =>
      ok([1, 2, 3].map((number) => commit(`${owner}/${repo}`, number))),
    ),
    // The real one names a host of its own; this one another API of the upstreams, which counts who follows.
    get(/^\/repos\/([^/]+)\/([^/]+)\/zipball$/u, (_call, [owner, repo]) => ({
      status: 302,
      body: '',
      headers: { location: `https://gitlab.com/${owner}/${repo}.zip` },
    })),
    get(/^\/search\/issues$/u, () =>
      ok({ total_count: 1, incomplete_results: false, items: [{ ...issue('octocat/hello-world', 1347), score: 1 }] }),
    ),
  ],
};

const user = {
  login: 'octocat',
  id: 583231,
  node_id: 'MDQ6VXNlcjU4MzIzMQ==',
  avatar_url: 'https://avatars.githubusercontent.com/u/583231?v=4',
  url: `${origin}/users/octocat`,
  html_url: 'https://github.com/octocat',
  type: 'User',
  site_admin: false,
};

let lastIssue = 1347;

function created(repository: string, call: Call) {
  lastIssue += 1;
  const { title, body } = json(call);
  return {
    status: 201,
    body: { ...issue(repository, lastIssue), title, body },
    headers: { location: `${origin}/repos/${repository}/issues/${lastIssue}` },
  };
}

function issue(repository: string, number: number) {
  return {
    id: 1_000_000 + number,
    node_id: `I_${number}`,
    url: `${origin}/repos/${repository}/issues/${number}`,
    repository_url: `${origin}/repos/${repository}`,
    html_url: `https://github.com/${repository}/issues/${number}`,
    number,
    state: 'open',
    title: 'Found a bug',
    body: "I'm having a problem with this.",
    user,
    labels: [{ id: 208045946, name: 'bug', color: 'f29513', default: true }],
    assignees: [user],
    locked: false,
    comments: 0,
    created_at: '2026-04-22T13:33:48Z',
    updated_at: '2026-04-22T13:33:48Z',
    closed_at: null,
  };
}

function commit(repository: string, number: number) {
  const sha = number.toString(16).padStart(40, '6dcb09b5b57875f334f61aebed695e2e4193db5e');
  const author = { name: 'Monalisa Octocat', email: 'mona@github.com', date: '2026-04-14T16:00:49Z' };
  return {
    sha,
    url: `${origin}/repos/${repository}/commits/${sha}`,
    html_url: `https://github.com/${repository}/commit/${sha}`,
    commit: { message: 'Fix all the bugs', author, committer: author, comment_count: 0 },
    author: user,
    committer: user,
    parents: [],
  };
}
