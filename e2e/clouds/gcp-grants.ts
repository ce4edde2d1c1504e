import type { Grant } from './gcp-iam.ts';
import { blockOf } from '@rekey/lib/page.fixture.ts';

/** What the commands of the page grant, each for the secret that it names. */
export function documentedGrants(): Grant[] {
  const lines = blockOf('gcp', 'grants').trim().split('\n');
  return lines.map((line) => {
    const [, secret = '', project = '', role = '', member = ''] =
      /^gcloud secrets add-iam-policy-binding (\S+) --project (\S+) --role (\S+) --member "(\S+)"$/u.exec(line) ?? [];
    if (member === '') throw new Error(`not a command that the test understands: ${line}`);
    return { member, role, resource: `projects/${project}/secrets/${secret}` };
  });
}
