import type { Credential, RotationStatus } from '@rekey/crds/credential.ts';
import type { Input, Problem } from './input.ts';
import type { Rollup } from './pods.ts';

/** What has been found out about one credential: the conditions are four views of it. */
export interface Facts {
  credential: Credential;
  place: string;
  /** status.version as it will be written. */
  version: string | undefined;
  rotation: RotationStatus | undefined;
  /** What the source says against the wished version. */
  problem: Problem | undefined;
  conflict: Problem | undefined;
  storeProblem: Problem | undefined;
  /** Whether the source has been asked at all. */
  asked: boolean;
  polled: boolean;
  rollup: Rollup;
  pods: Input['pods'];
  audience: Input['audience'];
  missed: Input['missed'];
}
