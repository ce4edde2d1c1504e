/** A load of real MCP clients on the whole fleet. */
import { fleet } from '../servers/fleet.ts';
import { controlServer } from './control.ts';
import { Driver } from './driver.ts';

const { CONTROL_PORT = '8080', RATE = '66', SESSIONS = '1', TIMEOUT = '15000', SERVER_URLS = '{}' } = process.env;

/** URLs of servers that are not at their Service, by name. */
const urls = JSON.parse(SERVER_URLS) as Record<string, string>;
const driver = new Driver((server) => urls[server] ?? `http://mcp-${server}.tools.svc:8000/mcp`);
const servers = fleet.map(({ name }) => name);
const control = controlServer(driver, { rate: Number(RATE), sessions: Number(SESSIONS), timeout: Number(TIMEOUT), servers });

control.listen(Number(CONTROL_PORT));
process.stdout.write(`${JSON.stringify({ message: 'listening', controlPort: Number(CONTROL_PORT) })}\n`);
process.once('SIGTERM', () => void driver.stop().finally(() => process.exit(0)));
