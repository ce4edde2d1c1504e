/** AWS for tests: moto (PyPI) behind `aws-front.ts`. Logs nothing of what it is sent. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { control, front } from './aws-front.ts';
import type { AWS } from './aws-front.ts';
import { clusterIssuer } from './issuer.ts';
import { controlServer } from './web.ts';

const {
  MOTO = '/opt/moto/bin/moto_server',
  CERTIFICATES = '/etc/cloud',
  PORT = '8443',
  CONTROL_PORT = '8080',
  MOTO_PORT = '5000',
} = process.env;

const moto = spawn(MOTO, ['-H', '127.0.0.1', '-p', MOTO_PORT], { stdio: 'ignore' });
moto.once('exit', (code) => process.exit(code ?? 1));
const aws: AWS = {
  moto: `http://127.0.0.1:${MOTO_PORT}/`,
  issuer: await clusterIssuer(),
  roles: new Map(),
  sessions: new Map(),
  counts: {},
};
for (let tries = 0; ; tries += 1) {
  try {
    await fetch(`${aws.moto}moto-api/`);
    break;
  } catch (error) {
    if (tries > 240) throw error;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
const read = (name: string): string => readFileSync(`${CERTIFICATES}/${name}`, 'utf8');
front(aws, { key: read('tls.key'), cert: read('tls.crt') }).listen(Number(PORT));
controlServer(control(aws)).listen(Number(CONTROL_PORT));
process.once('SIGTERM', () => {
  moto.kill();
  process.exit(0);
});
process.stdout.write(`${JSON.stringify({ message: 'listening', port: Number(PORT), controlPort: Number(CONTROL_PORT) })}\n`);
