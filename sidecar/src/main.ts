import { readFileSync } from 'node:fs';
import { errorCode, jsonLog } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import { ConfigInvalid, readConfig } from './config.ts';
import type { Config } from './config.ts';
import { startSidecar } from './start.ts';

// stdout is the audit's; the log goes beside it, so that neither can cut into the other's lines.
const write = (line: string): void => void process.stderr.write(line);

function configuration(): Config {
  try {
    return readConfig(process.env, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof ConfigInvalid) write(`${error.message}\n`);
    else jsonLog(write)('error', 'the configuration cannot be read', { code: errorCode(error) });
    return process.exit(1);
  }
}

/** Nothing is known of the state after this, and the error's text may hold anything: the code is told, kubelet starts anew. */
function dieOf(log: Log, message: string): (error: unknown) => never {
  return (error) => {
    log('error', message, { code: errorCode(error) });
    process.exit(1);
  };
}

const config = configuration();
const log = jsonLog(write, config.logLevel);
process.on('uncaughtException', dieOf(log, 'an error that nobody expected'));
process.on('unhandledRejection', dieOf(log, 'a rejection that nobody expected'));

const sidecar = await startSidecar({ config, log }).catch(dieOf(log, 'the sidecar cannot start'));
log('info', 'listening', { count: config.snapshot.credentials.length, milliseconds: Math.round(performance.now()) });

let stopping = false;
const stop = (): void => {
  if (stopping) return;
  stopping = true;
  log('info', 'stopping');
  sidecar.stop().then(() => process.exit(0), dieOf(log, 'stopping failed'));
};
// As a native sidecar (KEP-753) it gets SIGTERM when the app's containers are gone.
process.on('SIGTERM', stop).on('SIGINT', stop);
