import { bearer, get, json, ok, post } from '../api.ts';
import type { Api } from '../api.ts';

const team = 'T0123456789';
const channel = {
  id: 'C012AB3CD',
  name: 'general',
  is_channel: true,
  is_archived: false,
  is_private: false,
  created: 1_449_252_889,
  creator: 'U012A3CDE',
  topic: { value: 'Company-wide announcements', creator: '', last_set: 0 },
  num_members: 4,
};
const member = {
  id: 'U012A3CDE',
  team_id: team,
  name: 'spengler',
  deleted: false,
  real_name: 'Egon Spengler',
  tz: 'America/Los_Angeles',
  profile: { title: '', real_name: 'Egon Spengler', display_name: 'spengler', team },
  is_bot: false,
  updated: 1_502_138_686,
};
const metadata = { response_metadata: { next_cursor: '' } };

/** Slack refuses with 200. */
export const slack: Api = {
  name: 'slack',
  host: 'slack.com',
  places: [bearer],
  refusal: (given) => ok({ ok: false, error: given ? 'invalid_auth' : 'not_authed' }),
  notFound: ok({ ok: false, error: 'unknown_method' }),
  routes: [
    get(/^\/api\/conversations\.list$/u, () => ok({ ok: true, channels: [channel], ...metadata })),
    get(/^\/api\/users\.list$/u, () => ok({ ok: true, members: [member], cache_ts: 1_498_777_272, ...metadata })),
    get(/^\/api\/auth\.test$/u, () =>
      ok({ ok: true, url: 'https://acme.slack.com/', team: 'Acme', user: 'rotation', team_id: team, user_id: 'W12345678' }),
    ),
    post(/^\/api\/chat\.postMessage$/u, (call) => {
      const { channel: to, text } = json(call);
      return ok({ ok: true, channel: to, ts: '1503435956.000247', message: { type: 'message', text, ts: '1503435956.000247' } });
    }),
  ],
};
