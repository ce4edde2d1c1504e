/**
 * What the client asks of each server. `arguments` and `succeeded` get the number of the call, so that a write can
 * be told apart from every other: a replayed POST must arrive whole. Some servers hand a refusal on as an ordinary
 * result, so a call has succeeded only when its text holds what that tool returns.
 */
export interface Call {
  tool: string;
  arguments: (call: number) => Record<string, unknown>;
  succeeded: (text: string, call: number) => boolean;
}

const repository = { owner: 'octocat', repo: 'hello-world' };

export const getIssue: Call = {
  tool: 'get_issue',
  arguments: () => ({ ...repository, issue_number: 1347 }),
  succeeded: (text) => field(text, 'number') === 1347,
};

export const listCommits: Call = {
  tool: 'list_commits',
  arguments: () => ({ ...repository, perPage: 5 }),
  succeeded: (text) => field(text, '0', 'sha') !== undefined,
};

export const searchIssues: Call = {
  tool: 'search_issues',
  arguments: () => ({ q: 'repo:octocat/hello-world is:open' }),
  succeeded: (text) => field(text, 'items', '0', 'number') === 1347,
};

export const createIssue: Call = {
  tool: 'create_issue',
  arguments: (call) => ({ ...repository, title: title(call), body: issueBody(call), labels: ['rotation'] }),
  succeeded: (text, call) => field(text, 'title') === title(call) && field(text, 'body') === issueBody(call),
};

export const getSelf: Call = {
  tool: 'API-get-self',
  arguments: () => ({}),
  succeeded: (text) => field(text, 'object') === 'user',
};

/** Reads, and does so with a POST. */
export const searchPages: Call = {
  tool: 'API-post-search',
  arguments: () => ({ query: 'roadmap', page_size: 5 }),
  succeeded: (text) => field(text, 'results', '0', 'object') === 'page',
};

export const listChannels: Call = {
  tool: 'slack_list_channels',
  arguments: () => ({ limit: 20 }),
  succeeded: (text) => field(text, 'ok') === true && field(text, 'channels', '0', 'id') !== undefined,
};

export const getUsers: Call = {
  tool: 'slack_get_users',
  arguments: () => ({ limit: 20 }),
  succeeded: (text) => field(text, 'ok') === true && field(text, 'members', '0', 'id') !== undefined,
};

export const webSearch: Call = {
  tool: 'brave_web_search',
  arguments: () => ({ query: 'model context protocol', count: 5 }),
  succeeded: (text) => text.startsWith('Title: ') && text.includes('\nURL: https://'),
};

export const geocode: Call = {
  tool: 'maps_geocode',
  arguments: () => ({ address: '1600 Amphitheatre Parkway, Mountain View, CA' }),
  succeeded: (text) => field(text, 'location', 'lat') !== undefined,
};

export const elevation: Call = {
  tool: 'maps_elevation',
  arguments: () => ({ locations: [{ latitude: 39.7391536, longitude: -104.9847034 }] }),
  succeeded: (text) => field(text, 'results', '0', 'elevation') !== undefined,
};

export const getProject: Call = {
  tool: 'get_project',
  arguments: () => ({ project_id: 'gitlab-org/gitlab' }),
  succeeded: (text) => field(text, 'path_with_namespace') === 'gitlab-org/gitlab',
};

function title(call: number): string {
  return `Rotate the credential, call ${call}`;
}

/** Long enough that the body does not fit into one small buffer by luck. */
function issueBody(call: number): string {
  return `Opened by call ${call}.\n`.repeat(100);
}

/** The value at a path of a JSON text; undefined where the text is not JSON or has no such path. */
function field(text: string, ...path: string[]): unknown {
  try {
    return path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), JSON.parse(text));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
