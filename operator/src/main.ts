import { errorCode, jsonLog } from '@rekey/lib/log.ts';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { ConfigError, parseConfig } from './config.ts';
import { startController } from './controller/start.ts';
import { kubernetes } from './kubernetes.ts';
import { startOperator } from './operator.ts';

const write = (line: string): void => void process.stdout.write(line);
let log = jsonLog(write);

/** Whatever nobody has caught ends the process, with its code alone: a message can hold what was sent. */
function fail(error: unknown): void {
  if (error instanceof ConfigError) for (const problem of error.message.split('\n')) log('error', problem, { code: error.code });
  else log('error', 'the operator ends', { code: errorCode(error) });
  process.exit(1);
}

process.on('unhandledRejection', fail);
process.on('uncaughtException', fail);

const config = parseConfig(process.env);
log = jsonLog(write, config.logLevel);
const registry = new Registry();
collectDefaultMetrics({ register: registry });
const operator = await startOperator({ config, kubernetes: kubernetes(), log, registry, startController });
log('info', 'the webhook listens', { port: operator.webhookPort });
log('info', 'health and metrics listen', { port: operator.healthPort });

let stopping = false;
function stop(code: number): void {
  if (stopping) process.exit(1);
  stopping = true;
  log('info', 'the operator stops');
  operator.stop().then(() => process.exit(code), fail);
}
process.on('SIGTERM', () => stop(0));
process.on('SIGINT', () => stop(0));
void operator.lost.then(() => stop(1));
