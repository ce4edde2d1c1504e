// A process of its own that lives a fraction of a second: reads an Order from stdin, writes the Delivery to stdout, and takes the
// memory of the certificate library with it. Keys travel through the two pipes only, never through arguments or files.
import { text } from 'node:stream/consumers';
import type { Order } from './certificate.ts';
import { issue } from './certificate.ts';

const delivery = await issue(JSON.parse(await text(process.stdin)) as Order);
process.stdout.write(JSON.stringify(delivery));
