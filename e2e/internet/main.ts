/** A public internet of six APIs, for tests. It logs nothing of what it is sent. */
import { apis } from './apis/index.ts';
import { controlServer } from './control.ts';
import { Ledger } from './ledger.ts';
import { publicServer, readCertificates } from './public.ts';

const { CERTIFICATES = '/etc/internet', PORT = '8443', CONTROL_PORT = '8080' } = process.env;

const internet = { apis, ledger: new Ledger(), latency: new Map<string, number>() };
const servers = [
  publicServer(internet, readCertificates(CERTIFICATES)).listen(Number(PORT)),
  controlServer(internet).listen(Number(CONTROL_PORT)),
];

process.once('SIGTERM', () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});
process.stdout.write(`${JSON.stringify({ message: 'listening', port: Number(PORT), controlPort: Number(CONTROL_PORT) })}\n`);
