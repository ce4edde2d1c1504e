import { get, ok } from '../api.ts';
import type { Api } from '../api.ts';

const geocoded = {
  address_components: [{ long_name: 'Mountain View', short_name: 'Mountain View', types: ['locality', 'political'] }],
  formatted_address: '1600 Amphitheatre Pkwy, Mountain View, CA 94043, USA',
  geometry: { location: { lat: 37.4224428, lng: -122.0842467 }, location_type: 'ROOFTOP' },
  place_id: 'ChIJeRpOeF67j4AR9ydy_PIzPuM',
  types: ['street_address'],
};
const elevated = { elevation: 1608.637939453125, location: { lat: 39.7391536, lng: -104.9847034 }, resolution: 4.771975994110107 };

/** Google Maps refuses with 200. */
export const maps: Api = {
  name: 'maps',
  host: 'maps.googleapis.com',
  places: [{ query: 'key' }],
  refusal: (given) =>
    ok({
      error_message: given
        ? 'The provided API key is invalid. '
        : 'You must use an API key to authenticate each request to Google Maps Platform APIs.',
      results: [],
      status: 'REQUEST_DENIED',
    }),
  notFound: { status: 404, body: { status: 'NOT_FOUND' } },
  routes: [
    get(/^\/maps\/api\/geocode\/json$/u, () => ok({ results: [geocoded], status: 'OK' })),
    get(/^\/maps\/api\/elevation\/json$/u, () => ok({ results: [elevated], status: 'OK' })),
  ],
};
