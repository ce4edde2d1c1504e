import { createSocket } from 'node:dgram';

export interface Records {
  a?: string[];
  /** Full form, eight groups. */
  aaaa?: string[];
  ttl?: number;
}

export interface FakeDns {
  servers: string[];
  /** By name; a name that is not here does not exist. */
  zone: Record<string, Records>;
  /** Names asked for A, in their order. */
  asked: string[];
  broken: boolean;
  stop(): void;
}

/** A DNS server on loopback (RFC 1035 section 4) that knows A and AAAA. */
export async function startDns(zone: Record<string, Records>, port = 0): Promise<FakeDns> {
  const socket = createSocket('udp4');
  const dns: FakeDns = { servers: [], zone, asked: [], broken: false, stop: () => void socket.close() };
  socket.on('message', (query, { port, address }) => {
    socket.send(answerTo(query, dns), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  dns.servers.push(`127.0.0.1:${socket.address().port}`);
  return dns;
}

function answerTo(query: Buffer, dns: FakeDns): Buffer {
  const { name, end } = nameIn(query);
  const question = query.subarray(12, end + 4);
  const isV4 = query.readUInt16BE(end) === 1;
  if (isV4) dns.asked.push(name);
  const records = dns.zone[name];
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  const code = dns.broken ? 2 : records === undefined ? 3 : 0; // SERVFAIL, NXDOMAIN
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  if (code !== 0 || records === undefined) return Buffer.concat([header, question]);
  const addresses = (isV4 ? records.a : records.aaaa) ?? [];
  header.writeUInt16BE(addresses.length, 6);
  return Buffer.concat([header, question, ...addresses.map((address) => record(bytesOf(address), records.ttl ?? 60))]);
}

function nameIn(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** Name by reference to the question, type by length, class IN. */
function record(data: Buffer, ttl: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(data.length === 4 ? 1 : 28, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  return Buffer.concat(address.split(':').map((group) => Buffer.from(group.padStart(4, '0'), 'hex')));
}
