import type { Route } from '../exchange.ts';
import type { SdkHandler } from './handler.ts';
import { sdkHandler } from './handler.ts';
import type { RoleCredentials } from './role.ts';

export interface Place {
  region: string;
  endpoint: string | undefined;
  credentials: RoleCredentials;
  /** For messages: `reading store aws`. */
  what: string;
}

const nothing = (): void => undefined;

/**
 * Settings for a client of the SDK that takes nothing from elsewhere: no environment variable, no shared file, no metadata service, no
 * credential chain, no retry but ours, no log.
 */
export function clientSettings(
  route: Route,
  { region, endpoint, credentials, what }: Place,
): {
  region: string;
  endpoint?: string;
  credentials: Omit<RoleCredentials, 'expiration'>;
  requestHandler: SdkHandler;
  maxAttempts: number;
  [setting: string]: unknown;
} {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    // Without their end: what a client signs with is replaced together with the client.
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    requestHandler: sdkHandler(route, what),
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    authSchemePreference: [],
    userAgentAppId: () => Promise.resolve(undefined),
    logger: { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing },
  };
}
