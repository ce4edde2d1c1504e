import * as calls from './calls.ts';
import type { Call } from './calls.ts';

export const apis = ['github', 'notion', 'slack', 'brave', 'maps', 'gitlab'] as const;
export type Api = (typeof apis)[number];

export type Place = { header: { name: string; prefix?: string } } | { query: { name: string } };
export interface Refusal {
  status: number;
  jsonField?: string;
  equals?: string;
}

/** What is true of every server of one npm package. */
export interface Kind {
  api: Api;
  /** The executable of the package, run by supergateway. */
  command: string;
  /** The environment variable that takes the credential. */
  credential: string;
  /** What else the package needs to start. */
  env: Record<string, string>;
  host: string;
  inject: Place[];
  refused: Refusal[];
  /** A placeholder in the shape of the real thing, for packages and people that expect one. */
  placeholder?: string;
  /** Its own setting for where its API is, where it has one. */
  baseUrl?: { name: string; path: string };
  /** Milliseconds that the client leaves after a call, where the package limits its own rate. */
  pause?: number;
}

export interface Server extends Kind {
  name: string;
  /** Called in turn. */
  calls: readonly Call[];
  /** Where its key is at a source: a path and a field in it. */
  secret: { path: string; key: string };
  /** True where the manifest still takes the credential from a Secret, as users have it today. */
  fromSecret: boolean;
}

const bearer: Place = { header: { name: 'Authorization', prefix: 'Bearer ' } };

const github: Kind = {
  api: 'github',
  command: 'mcp-server-github',
  credential: 'GITHUB_PERSONAL_ACCESS_TOKEN',
  env: {},
  host: 'api.github.com',
  inject: [bearer],
  refused: [{ status: 401 }],
};

const notion: Kind = {
  api: 'notion',
  command: 'notion-mcp-server',
  credential: 'NOTION_TOKEN',
  env: {},
  host: 'api.notion.com',
  inject: [bearer],
  refused: [{ status: 401 }],
  baseUrl: { name: 'BASE_URL', path: '' },
};

const slack: Kind = {
  api: 'slack',
  command: 'mcp-server-slack',
  credential: 'SLACK_BOT_TOKEN',
  env: { SLACK_TEAM_ID: 'T0123456789' },
  host: 'slack.com',
  inject: [bearer],
  refused: [{ status: 200, jsonField: 'error', equals: 'invalid_auth' }],
  placeholder: 'xoxb-rekey-placeholder',
};

const brave: Kind = {
  api: 'brave',
  command: 'mcp-server-brave-search',
  credential: 'BRAVE_API_KEY',
  env: {},
  host: 'api.search.brave.com',
  inject: [{ header: { name: 'X-Subscription-Token' } }],
  refused: [{ status: 422 }],
  // The server itself refuses a second call within a second.
  pause: 1050,
};

const maps: Kind = {
  api: 'maps',
  command: 'mcp-server-google-maps',
  credential: 'GOOGLE_MAPS_API_KEY',
  env: {},
  host: 'maps.googleapis.com',
  inject: [{ query: { name: 'key' } }],
  refused: [{ status: 200, jsonField: 'status', equals: 'REQUEST_DENIED' }],
};

const gitlab: Kind = {
  api: 'gitlab',
  command: 'mcp-gitlab',
  credential: 'GITLAB_PERSONAL_ACCESS_TOKEN',
  env: { GITLAB_DISABLE_VERSION_CHECK: 'true', LOG_FORMAT: 'json', LOG_LEVEL: 'warn' },
  host: 'gitlab.com',
  inject: [bearer],
  refused: [{ status: 401 }],
  baseUrl: { name: 'GITLAB_API_URL', path: '' },
};

const { createIssue } = calls;

export const fleet: readonly Server[] = [
  server('github-1', github, [calls.getIssue, calls.getIssue, createIssue], { fromSecret: true }),
  server('github-2', github, [calls.listCommits, calls.listCommits, createIssue]),
  server('github-3', github, [calls.searchIssues, calls.searchIssues, createIssue]),
  server('notion-1', notion, [calls.getSelf]),
  server('notion-2', notion, [calls.searchPages]),
  server('slack-1', slack, [calls.listChannels]),
  server('slack-2', slack, [calls.getUsers]),
  server('brave-1', brave, [calls.webSearch]),
  server('maps-1', maps, [calls.geocode]),
  server('maps-2', maps, [calls.elevation]),
  server('gitlab-1', gitlab, [calls.getProject]),
];

function server(name: string, kind: Kind, turns: readonly Call[], { fromSecret = false } = {}): Server {
  return { ...kind, name, calls: turns, secret: { path: `mcp/${name}`, key: 'token' }, fromSecret };
}
