/** Google for tests: a stand-in of the REST APIs that Rekey asks. Logs nothing of what it is sent. */
import { readFileSync } from 'node:fs';
import { control, front } from './gcp-front.ts';
import type { GCP } from './gcp-front.ts';
import { clusterIssuer } from './issuer.ts';
import { controlServer } from './web.ts';

const { PROVIDER = '', CERTIFICATES = '/etc/cloud', PORT = '8443', CONTROL_PORT = '8080' } = process.env;

const gcp: GCP = {
  issuer: await clusterIssuer(),
  provider: PROVIDER,
  grants: [],
  tokens: new Map(),
  secrets: new Map(),
  reads: new Map(),
  counts: {},
  fault: () => false,
};
const read = (name: string): string => readFileSync(`${CERTIFICATES}/${name}`, 'utf8');
front(gcp, { key: read('tls.key'), cert: read('tls.crt') }).listen(Number(PORT));
controlServer(control(gcp)).listen(Number(CONTROL_PORT));
process.once('SIGTERM', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ message: 'listening', port: Number(PORT), controlPort: Number(CONTROL_PORT) })}\n`);
