import { bearer, get, json, ok, post } from '../api.ts';
import type { Api } from '../api.ts';

const bot = {
  object: 'user',
  id: '9188c6a5-7381-452f-b3dc-d4865aa89bdf',
  name: 'Rotation',
  avatar_url: null,
  type: 'bot',
  bot: { owner: { type: 'workspace', workspace: true }, workspace_name: 'Acme' },
};

const page = {
  object: 'page',
  id: 'be633bf1-dfa0-436d-b259-571129a590e5',
  created_time: '2026-10-24T22:54:00.000Z',
  last_edited_time: '2026-11-08T18:25:00.000Z',
  created_by: { object: 'user', id: bot.id },
  in_trash: false,
  parent: { type: 'workspace', workspace: true },
  properties: {
    title: { id: 'title', type: 'title', title: [{ type: 'text', text: { content: 'Roadmap', link: null }, plain_text: 'Roadmap' }] },
  },
  url: 'https://www.notion.so/Roadmap-be633bf1dfa0436db259571129a590e5',
};

export const notion: Api = {
  name: 'notion',
  host: 'api.notion.com',
  places: [bearer],
  refusal: () => failed(401, 'unauthorized', 'API token is invalid.'),
  notFound: failed(404, 'object_not_found', 'Could not find the object.'),
  routes: [
    get(/^\/v1\/users\/me$/u, () => ok({ ...bot, request_id: 'b6b0b6b0-0000-4000-8000-000000000001' })),
    post(/^\/v1\/search$/u, (call) =>
      typeof json(call).query === 'string'
        ? ok({ object: 'list', results: [page], next_cursor: null, has_more: false, type: 'page_or_data_source', page_or_data_source: {} })
        : failed(400, 'invalid_json', 'Error parsing JSON body.'),
    ),
  ],
};

function failed(status: number, code: string, message: string) {
  return { status, body: { object: 'error', status, code, message, request_id: 'b6b0b6b0-0000-4000-8000-000000000000' } };
}
