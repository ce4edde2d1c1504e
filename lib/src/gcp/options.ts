import type { GoogleTransport } from './auth.ts';

// Google's clients print requests and answers, values among them, when this variable says so.
process.env['GOOGLE_SDK_NODE_LOGGING'] = '';

/** Options for a client of Google's over REST that takes nothing from elsewhere: no environment variable, no file, no metadata service. */
export function clientOptions(
  transport: GoogleTransport,
  endpoint = 'https://secretmanager.googleapis.com',
): {
  [option: string]: string | number | object;
} {
  const { hostname, port } = new URL(endpoint);
  return {
    fallback: 'rest',
    auth: transport,
    apiEndpoint: hostname,
    servicePath: hostname,
    port: port === '' ? 443 : Number(port),
    universeDomain: 'googleapis.com',
  };
}
